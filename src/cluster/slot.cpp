#include "cluster/slot.h"

#include "base/error.h"
#include "base/log.h"

#include <algorithm>
#include <new>
#include <utility>

namespace lamina {

namespace {

constexpr std::size_t kMaxCancelled = 10'000;

}  // namespace

Slot::Slot(SlotRoute route, std::shared_ptr<Executable> executable, std::vector<NextSlot> next,
           std::shared_ptr<DataLink> head)
    : route_(std::move(route)),
      executable_(std::move(executable)),
      next_(std::move(next)),
      turns_(Shares::of(next_)),
      head_(std::move(head)),
      queue_(route_.queue),
      computing_([this] { run(); }),
      sending_([this] { send_results(); }) {}

Slot::~Slot() {
  queue_.close();
  results_.close();
  // The sending thread may wait for a receiver that no longer reads.
  for (NextSlot& next : next_) next.link->close();
  head_->close();
  computing_.join();
  sending_.join();
}

bool Slot::connected() const {
  return std::all_of(next_.begin(), next_.end(), [](const NextSlot& next) { return next.link->alive(); });
}

std::string Slot::forward_address() const {
  std::string addresses;
  for (const NextSlot& next : next_) addresses += (addresses.empty() ? "" : ",") + next.link->address();
  return addresses;
}

void Slot::receive(Frame frame) {
  const Deadline deadline(std::chrono::microseconds(frame.header.microseconds_left()));
  queue_.push({std::move(frame), deadline});
}

void Slot::cancel(std::uint64_t request) {
  const std::lock_guard lock(mutex_);
  if (!cancelled_.insert(request).second) return;
  cancelled_order_.push_back(request);
  if (cancelled_order_.size() > kMaxCancelled) {
    cancelled_.erase(cancelled_order_.front());
    cancelled_order_.pop_front();
  }
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
  try {
    std::vector<Tensor> tensors = widen(waiting.frame.tensors);
    waiting.frame.tensors.clear();
    const Clock::time_point begin = Clock::now();
    tensors = executable_->run(tensors);
    header.add_stage_seconds(seconds_since(begin));
    header.add_slots(route_.slot);
    if (is_cancelled(request)) return;
    Frame result;
    result.tensors = narrow(tensors, route_.wire);
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

void Slot::send_results() {
  while (std::optional<Frame> result = results_.pop()) {
    send_on(std::move(*result));
    --unsent_;
  }
}

void Slot::send_on(Frame result) {
  const std::uint64_t request = result.header.request();
  const NextSlot& next = next_[turns_.next()];
  result.header.set_slot(next.slot);
  try {
    next.link->send(std::move(result));
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
