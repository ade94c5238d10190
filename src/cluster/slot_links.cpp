#include "cluster/slot_links.h"

#include "base/error.h"
#include "base/log.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <iterator>
#include <utility>

namespace lamina {

namespace {

// A place that does not answer in this time, or in two silences, is not there. Overlays of containers take
// seconds until all know the way to a new one.
constexpr std::chrono::seconds kLeastEchoLimit{10};
constexpr std::chrono::seconds kMostEchoLimit{20};

using Places = google::protobuf::RepeatedPtrField<v1::NextPlace>;
using Open = std::function<std::shared_ptr<DataLink>(const std::string& address)>;

std::chrono::milliseconds answer_limit(const v1::ConnectRequest& request) {
  if (request.answer_milliseconds() > 0) return std::chrono::milliseconds(request.answer_milliseconds());
  const std::chrono::milliseconds silence(request.silence_milliseconds());
  if (silence.count() == 0) return kMostEchoLimit;
  return std::clamp<std::chrono::milliseconds>(2 * silence, kLeastEchoLimit, kMostEchoLimit);
}

// Which inputs come in which frame; none where all come in one.
Parts parts_of(const v1::ConnectRequest& request, const Signature& signature) {
  Parts parts;
  std::vector<bool> comes(signature.inputs.size(), false);
  for (const v1::Part& part : request.parts()) {
    parts.emplace_back();
    for (const std::uint32_t input : part.inputs()) {
      if (input >= comes.size() || comes[input]) {
        fail(ErrorCode::invalid_argument, "input {} comes twice or is none of {}", input, comes.size());
      }
      comes[input] = true;
      parts.back().push_back(input);
    }
  }
  if (!parts.empty() && std::count(comes.begin(), comes.end(), true) != std::ssize(comes))
    fail(ErrorCode::invalid_argument, "not all of {} inputs come", comes.size());
  return parts;
}

std::vector<NextSlot> open_places(const Places& places, const Open& open) {
  double shares = 0;
  std::vector<NextSlot> next;
  for (const v1::NextPlace& place : places) {
    if (!(place.share() > 0))
      fail(ErrorCode::invalid_argument, "a share of {} for '{}', expected more than 0", place.share(),
           place.address());
    shares += place.share();
    next.push_back({place.slot(), place.share(), open(place.address())});
  }
  if (!(std::abs(shares - 1) < 1e-6))
    fail(ErrorCode::invalid_argument, "{} next places with {} of the frames, expected all", next.size(),
         shares);
  return next;
}

std::vector<SlotConsumer> open_consumers(const v1::ConnectRequest& request, const Signature& signature,
                                         const Open& open) {
  if (request.consumers().empty()) fail(ErrorCode::invalid_argument, "a slot whose results go nowhere");
  std::vector<SlotConsumer> consumers;
  for (const v1::Consumer& wanted : request.consumers()) {
    SlotConsumer& consumer = consumers.emplace_back();
    consumer.part = wanted.part();
    consumer.wire = wire_format_from_string(wanted.wire(), "connecting a slot");
    consumer.outputs.assign(wanted.outputs().begin(), wanted.outputs().end());
    for (const std::size_t output : consumer.outputs) {
      if (output >= signature.outputs.size())
        fail(ErrorCode::invalid_argument, "output {} of a stage with {}", output, signature.outputs.size());
    }
    consumer.places = open_places(wanted.places(), open);
  }
  return consumers;
}

}  // namespace

SlotRoute route_of(const v1::ConnectRequest& request, const Signature& signature, const std::string& worker) {
  return {worker,
          request.pipeline(),
          request.slot(),
          request.stage(),
          std::max<std::size_t>(request.queue(), 1),
          parts_of(request, signature)};
}

SlotLinks connect_slot(const v1::ConnectRequest& request, const Signature& signature,
                       const std::string& worker, const TlsFiles& tls) {
  const auto broken = [worker](const Error& error) { spdlog::warn("worker '{}': {}", worker, error.what()); };
  const std::chrono::milliseconds silence(request.silence_milliseconds());
  const std::chrono::milliseconds limit = answer_limit(request);
  const auto open = [&](const std::string& address) {
    return std::make_shared<DataLink>(address, tls, broken, silence);
  };
  SlotLinks links{open_consumers(request, signature, open), nullptr};
  for (const SlotConsumer& consumer : links.consumers) {
    for (const NextSlot& place : consumer.places) {
      place.link->echo({}, limit);
      if (place.slot == 0) links.head = place.link;
    }
  }
  if (!links.head) {
    links.head = open(request.head_address());
    links.head->echo({}, limit);
  }
  return links;
}

}  // namespace lamina
