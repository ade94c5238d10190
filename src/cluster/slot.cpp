#include "cluster/slot.h"

#include "base/error.h"
#include "base/foreground.h"
#include "base/log.h"

#include <algorithm>
#include <map>
#include <new>
#include <utility>

namespace lamina {

namespace {

constexpr std::size_t kMaxCancelled = 10'000;

}  // namespace

Slot::Slot(SlotRoute route, std::shared_ptr<Executable> executable, std::vector<SlotConsumer> consumers,
           std::shared_ptr<DataLink> head)
    : route_(std::move(route)),
      executable_(std::move(executable)),
      consumers_(std::move(consumers)),
      head_(std::move(head)),
      queue_(route_.queue) {
  for (const SlotConsumer& consumer : consumers_) turns_.push_back(Shares::of(consumer.places));
  if (!route_.parts.empty()) collector_.emplace(route_.parts, route_.queue);
  computing_ = std::thread([this] { run(); });
  sending_ = std::thread([this] { send_results(); });
}

Slot::~Slot() {
  close();
  results_.close();
  // The sending thread may wait for a receiver that no longer reads.
  for (SlotConsumer& consumer : consumers_) {
    for (NextSlot& place : consumer.places) place.link->close();
  }
  head_->close();
  computing_.join();
  sending_.join();
}

void Slot::close() {
  if (collector_) collector_->close();
  queue_.close();
}

bool Slot::connected() const {
  return std::all_of(consumers_.begin(), consumers_.end(), [](const SlotConsumer& consumer) {
    return std::all_of(consumer.places.begin(), consumer.places.end(),
                       [](const NextSlot& place) { return place.link->alive(); });
  });
}

std::string Slot::forward_address() const {
  std::string addresses;
  for (const SlotConsumer& consumer : consumers_) {
    for (const NextSlot& place : consumer.places)
      addresses += (addresses.empty() ? "" : ",") + place.link->address();
  }
  return addresses;
}

void Slot::receive(Frame frame) {
  const Deadline deadline(std::chrono::microseconds(frame.header.microseconds_left()));
  if (!collector_) {
    queue_.push({std::move(frame), deadline});
    return;
  }
  const std::uint64_t request = frame.header.request();
  if (is_cancelled(request)) return;
  try {
    if (auto whole = collector_->add(std::move(frame), deadline))
      queue_.push({std::move(whole->frame), whole->deadline});
  } catch (const Error& error) {
    send_error(request, error);
  }
  // It may have been cancelled while it waited for room.
  if (is_cancelled(request)) collector_->drop(request);
}

void Slot::cancel(std::uint64_t request) {
  {
    const std::lock_guard lock(mutex_);
    if (!cancelled_.insert(request).second) return;
    cancelled_order_.push_back(request);
    if (cancelled_order_.size() > kMaxCancelled) {
      cancelled_.erase(cancelled_order_.front());
      cancelled_order_.pop_front();
    }
  }
  if (collector_) collector_->drop(request);
}

bool Slot::is_cancelled(std::uint64_t request) {
  const std::lock_guard lock(mutex_);
  return cancelled_.contains(request);
}

void Slot::run() {
  while (std::optional<Waiting> waiting = queue_.pop()) compute(std::move(*waiting));
}

void Slot::compute(Waiting waiting) {
  v1::FrameHeader header = std::move(waiting.frame.header);
  const std::uint64_t request = header.request();
  // Nobody waits for these: the head has answered already.
  if (is_cancelled(request) || waiting.deadline.passed()) return;
  const ForegroundWork under_way;
  try {
    std::vector<Tensor> tensors = widen(waiting.frame.tensors);
    waiting.frame.tensors.clear();
    const Clock::time_point begin = Clock::now();
    tensors = executable_->run(tensors);
    header.add_stage_seconds(seconds_since(begin));
    header.add_slots(route_.slot);
    if (is_cancelled(request)) return;
    Result result;
    result.tensors = share_out(tensors);
    tensors.clear();
    header.set_microseconds_left(
        std::chrono::duration_cast<std::chrono::microseconds>(waiting.deadline.left()).count());
    result.header = std::move(header);
    // With nothing else to do this thread sends it itself: handing it on would cost waking another.
    if (unsent_ == 0 && queue_.empty()) {
      send_on(std::move(result));
    } else {
      ++unsent_;
      results_.push(std::move(result));
    }
  } catch (const Error& error) {
    send_error(request, error);
  } catch (const std::bad_alloc&) {
    send_error(request, Error(ErrorCode::out_of_memory, "out of memory"));
  } catch (const std::exception& error) {
    send_error(request, Error(ErrorCode::internal, error.what()));
  }
}

// Each output is narrowed once for each wire format that it travels in.
std::vector<std::vector<WireTensor>> Slot::share_out(const std::vector<Tensor>& outputs) const {
  std::map<std::pair<std::size_t, WireFormat>, WireTensor> narrowed;
  std::vector<std::vector<WireTensor>> shared;
  for (const SlotConsumer& consumer : consumers_) {
    auto& tensors = shared.emplace_back();
    for (const std::size_t output : consumer.outputs) {
      const auto [found, fresh] = narrowed.try_emplace({output, consumer.wire});
      if (fresh) found->second = narrow(outputs.at(output), consumer.wire);
      tensors.push_back(found->second);
    }
  }
  return shared;
}

void Slot::send_results() {
  while (std::optional<Result> result = results_.pop()) {
    send_on(std::move(*result));
    --unsent_;
  }
}

void Slot::send_on(Result result) {
  const std::uint64_t request = result.header.request();
  try {
    for (std::size_t i = 0; i < consumers_.size(); ++i) {
      const NextSlot& place = consumers_[i].places[turns_[i].next()];
      Frame frame;
      frame.header = result.header;
      frame.header.set_slot(place.slot);
      frame.header.set_part(consumers_[i].part);
      frame.tensors = std::move(result.tensors[i]);
      place.link->send(std::move(frame));
    }
  } catch (const Error& error) {
    send_error(request, error);
  } catch (const std::bad_alloc&) {
    send_error(request, Error(ErrorCode::out_of_memory, "out of memory"));
  }
}

void Slot::send_error(std::uint64_t request, const Error& error) {
  Frame frame;
  frame.header.set_pipeline(route_.pipeline);
  frame.header.set_request(request);
  frame.header.mutable_error()->set_code(std::string(to_string(error.code())));
  frame.header.mutable_error()->set_message(
      fmt::format("worker '{}', stage {}: {}", route_.worker, route_.slot, error.what()));
  try {
    head_->send(std::move(frame));
  } catch (const Error& lost) {
    spdlog::warn("an error of request {} can't be reported: {}", request, lost.what());
  }
}

}  // namespace lamina
