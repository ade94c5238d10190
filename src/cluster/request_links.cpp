#include "cluster/request_links.h"

#include "base/error.h"
#include "base/shares.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <new>
#include <optional>
#include <utility>

namespace lamina {

namespace {

constexpr std::chrono::milliseconds kEchoLimit{20'000};
// Requests that were cancelled may still wait to be sent.
constexpr std::size_t kOutboxPerRequest = 4;

constexpr std::size_t kNoRoute = std::numeric_limits<std::size_t>::max();

}  // namespace

RequestLinks::RequestLinks(const Places& places, const std::vector<HeadStage>& stages, const Routes& routes,
                           const HeadOptions& options, std::uint64_t pipeline, RequestLinkEvents events)
    : places_(places),
      stages_(stages),
      routes_(routes),
      options_(options),
      pipeline_(pipeline),
      events_(std::move(events)),
      outbox_(kOutboxPerRequest * options_.max_in_flight) {
  sender_ = std::thread([this] { send_requests(); });
}

RequestLinks::~RequestLinks() {
  close();
  sender_.join();
}

void RequestLinks::open() {
  std::vector<Entry> entries;
  for (std::size_t route = 0; route < routes_.of_request.size(); ++route) {
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (places_.stage(i) == routes_.of_request[route].to) entries.push_back(connect(route, i));
    }
  }
  // Nothing is sent to the others; a connection that breaks tells at once that its worker is lost.
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const bool known = std::any_of(entries.begin(), entries.end(), [&](const Entry& entry) {
      return places_.replica(entry.place).address == places_.replica(i).address;
    });
    if (!known) entries.push_back(connect(kNoRoute, i));
  }
  const std::lock_guard lock(mutex_);
  opening_.reset();
  entries_.swap(entries);  // the old ones end after the lock: their threads may be waiting for it
}

RequestLinks::Entry RequestLinks::connect(std::size_t route, std::size_t place) {
  const auto broken = [this, place](const Error& error) { events_.broken(place, error); };
  Entry entry{route, place,
              std::make_shared<DataLink>(places_.replica(place).address, options_.tls, broken,
                                         silence_of(options_.heartbeat))};
  {
    const std::lock_guard lock(mutex_);
    opening_ = entry.link;
    if (abandoned_) opening_->close();
  }
  entry.link->echo({}, options_.answer_limit.count() > 0 ? options_.answer_limit : kEchoLimit);
  return entry;
}

void RequestLinks::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  if (opening_) opening_->close();
}

void RequestLinks::close() {
  {
    const std::lock_guard lock(mutex_);
    for (const Entry& entry : entries_) entry.link->close();
  }
  outbox_.close();
}

bool RequestLinks::is_open() const {
  const std::lock_guard lock(mutex_);
  return !entries_.empty();
}

bool RequestLinks::alive() const {
  const std::lock_guard lock(mutex_);
  return !entries_.empty() && std::all_of(entries_.begin(), entries_.end(),
                                          [](const Entry& entry) { return entry.link->alive(); });
}

void RequestLinks::send_requests() {
  std::vector<Shares> turns;
  for (const Route& route : routes_.of_request) turns.push_back(Shares::of(stages_[route.to].replicas));
  while (std::optional<Request> next = outbox_.pop()) {
    for (std::size_t route = 0; route < turns.size(); ++route) {
      if (!send_part(*next, route, turns[route].next())) break;
    }
  }
}

// What goes one way of a request; false where nobody waits for it any more.
bool RequestLinks::send_part(const Request& next, std::size_t route, std::size_t turn) {
  if (!events_.wanted(next.number)) return false;  // cancelled or late while it waited
  Entry entry;
  {
    const std::lock_guard lock(mutex_);
    for (const Entry& one : entries_) {
      if (one.route != route) continue;
      if (turn-- == 0) entry = one;
    }
  }
  const Route& way = routes_.of_request[route];
  Frame frame;
  frame.header.set_pipeline(pipeline_);
  frame.header.set_slot(slot_of(entry.place));
  frame.header.set_part(static_cast<std::uint32_t>(way.part));
  frame.header.set_request(next.number);
  frame.header.set_microseconds_left(
      std::chrono::duration_cast<std::chrono::microseconds>(next.deadline.left()).count());
  try {
    for (const std::size_t input : way.outputs)
      frame.tensors.push_back(narrow(next.inputs[input], stages_[way.to].wire));
    entry.link->send(std::move(frame));
    return true;
  } catch (const Error& error) {
    events_.failed(next.number,
                   Error(error.code(),
                         fmt::format("worker '{}': {}", places_.replica(entry.place).worker, error.what())));
  } catch (const std::bad_alloc&) {
    events_.failed(next.number, Error(ErrorCode::out_of_memory, "no memory to send the request"));
  }
  return false;
}

}  // namespace lamina
