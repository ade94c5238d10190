#include "cluster/places.h"

#include "base/error.h"
#include "base/log.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <exception>
#include <future>
#include <utility>

namespace lamina {

namespace {

constexpr std::size_t kRecentRuns = 64;
constexpr std::chrono::seconds kKeepLimit{5};
constexpr std::chrono::milliseconds kLeastCheck{100};

}  // namespace

Places::Places(const std::vector<HeadStage>& stages, HeadOptions options, std::uint64_t pipeline)
    : stages_(stages),
      options_(std::move(options)),
      pipeline_(pipeline),
      places_(make_places(stages_, options_.tls)) {}

std::map<std::string, std::vector<std::size_t>> Places::by_address() const {
  std::map<std::string, std::vector<std::size_t>> by_address;
  for (std::size_t i = 0; i < places_.size(); ++i) by_address[places_[i].plan.address].push_back(i);
  return by_address;
}

// Each worker loads its stages one after another.
void Places::load() {
  const std::map<std::string, std::vector<std::size_t>> workers = by_address();
  std::vector<std::future<void>> loading;
  for (const auto& [address, indices] : workers) {
    loading.push_back(std::async(std::launch::async, [this, &indices = indices] {
      for (const std::size_t i : indices) load(i);
    }));
  }
  std::exception_ptr failed;
  for (std::future<void>& one : loading) {
    try {
      one.get();
    } catch (const Error&) {
      if (!failed) failed = std::current_exception();
    }
  }
  if (failed) std::rethrow_exception(failed);
}

void Places::load(std::size_t index) {
  Place& place = places_[index];
  const HeadStage& stage = stages_[place.stage];
  LoadCost cost;
  try {
    const std::string name =
        place.client->load(stage.graph, stage.hashes, {options_.precision, options_.batch, 1}, &cost);
    const std::lock_guard lock(mutex_);
    place.loaded = name;
    place.cost = cost;
    place.error.clear();
  } catch (const Error& error) {
    note_failure(index, error);
    throw;
  }
}

void Places::connect(const Routes& routes, const std::string& head_address) {
  for (std::size_t i = places_.size(); i-- > 0;) connect(i, routes, head_address);
}

void Places::connect(std::size_t index, const Routes& routes, const std::string& head_address) {
  v1::ConnectRequest request = connect_request(places_, index, stages_, routes, options_, head_address);
  request.set_pipeline(pipeline_);
  try {
    places_[index].client->connect(request);
    const std::lock_guard lock(mutex_);
    places_[index].connected = true;
    places_[index].forward_address = next_addresses(request);
  } catch (const Error& error) {
    note_failure(index, error);
    throw;
  }
}

void Places::set_ready() {
  const std::lock_guard lock(mutex_);
  for (Place& place : places_) {
    place.ready = place.connected;
    place.missed = 0;
  }
}

void Places::unload() {
  {
    const std::lock_guard lock(mutex_);
    for (Place& place : places_) place.ready = false;
  }
  for (Place& place : places_) {
    try {
      if (!place.loaded.empty()) place.client->unload(place.loaded);
    } catch (const Error& error) {
      spdlog::debug("'{}' can't be unloaded: {}", stages_[place.stage].name, error.what());
    }
  }
}

void Places::keep_only(const std::vector<std::uint64_t>& pipelines) {
  for (const auto& [address, indices] : by_address()) {
    std::vector<std::string> stages;
    for (const std::size_t i : indices) {
      const HeadStage& stage = stages_[places_[i].stage];
      stages.push_back(places_[i].loaded.empty() ? stage_name(stage.graph, stage.hashes) : places_[i].loaded);
    }
    try {
      places_[indices.front()].client->keep(pipelines, stages, kKeepLimit);
    } catch (const Error& error) {
      spdlog::debug("'{}' can't be tidied: {}", address, error.what());
    }
  }
}

void Places::cancel(std::uint64_t request) {
  for (Place& place : places_) {
    try {
      place.client->cancel(pipeline_, request);
    } catch (const Error& error) {
      spdlog::debug("request {} can't be cancelled: {}", request, error.what());
    }
  }
}

void Places::abandon() {
  for (Place& place : places_) place.client->abandon();
}

std::optional<Error> Places::check(std::size_t index) {
  Place& place = places_[index];
  try {
    const v1::CheckReply reply =
        place.client->check(pipeline_, slot_of(index), std::max(options_.heartbeat.interval, kLeastCheck));
    if (!reply.loaded()) fail(ErrorCode::unavailable, "it was restarted and has lost its stage");
    if (!reply.connected())
      fail(ErrorCode::unavailable, "its connection to '{}' is broken", reply.forward_address());
    const std::lock_guard lock(mutex_);
    place.missed = 0;
    place.connected = true;
    place.ready = true;
    place.error.clear();
    return std::nullopt;
  } catch (const Error& error) {
    const std::lock_guard lock(mutex_);
    // Silence may pass; a closed port or a lost stage does not.
    const bool silent = error.code() == ErrorCode::deadline_exceeded;
    const bool lost = place.ready && (!silent || ++place.missed >= options_.heartbeat.missed);
    return lost ? std::optional(error) : std::nullopt;
  }
}

Error Places::note_failure(std::size_t index, const Error& error) {
  const std::lock_guard lock(mutex_);
  Place& place = places_[index];
  place.ready = false;
  place.connected = false;
  place.error = fmt::format("worker '{}': {}", place.plan.worker, error.what());
  return {error.code(), place.error};
}

void Places::note_run(std::size_t index, double seconds) {
  const std::lock_guard lock(mutex_);
  std::deque<double>& recent = places_[index].recent;
  recent.push_back(seconds);
  if (recent.size() > kRecentRuns) recent.pop_front();
}

bool Places::all_ready() const {
  const std::lock_guard lock(mutex_);
  return std::all_of(places_.begin(), places_.end(), [](const Place& place) { return place.ready; });
}

std::string Places::trouble() const {
  const std::lock_guard lock(mutex_);
  for (const Place& place : places_) {
    if (!place.error.empty()) return place.error;
  }
  return "";
}

std::vector<StageStatus> Places::status() const {
  const std::lock_guard lock(mutex_);
  std::vector<StageStatus> stages;
  for (const Place& place : places_) stages.push_back(status_of(place, stages_[place.stage]));
  return stages;
}

}  // namespace lamina
