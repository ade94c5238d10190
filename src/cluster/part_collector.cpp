#include "cluster/part_collector.h"

#include "base/error.h"

#include <algorithm>
#include <utility>

namespace lamina {

PartCollector::PartCollector(Parts parts, std::size_t capacity)
    : parts_(std::move(parts)), capacity_(std::max<std::size_t>(capacity, 1)) {
  for (const auto& part : parts_) inputs_ += part.size();
}

void PartCollector::check(const Frame& part) const {
  const std::size_t number = part.header.part();
  if (number >= parts_.size())
    fail(ErrorCode::corrupt, "part {} of a request, expected one of {}", number, parts_.size());
  if (part.tensors.size() != parts_[number].size()) {
    fail(ErrorCode::corrupt, "part {} of a request holds {} tensors, expected {}", number,
         part.tensors.size(), parts_[number].size());
  }
}

std::optional<PartCollector::Whole> PartCollector::add(Frame part, Deadline deadline) {
  check(part);
  const std::size_t number = part.header.part();
  std::unique_lock lock(mutex_);
  const auto found = find_room(lock, part.header.request(), deadline);
  if (found == requests_.end()) return std::nullopt;
  Request& request = found->second;
  if (request.parts[number])
    fail(ErrorCode::corrupt, "part {} of request {} came twice", number, found->first);
  request.parts[number] = std::move(part);
  if (--request.missing > 0) return std::nullopt;
  Request whole = std::move(request);
  requests_.erase(found);
  changed_.notify_all();
  lock.unlock();
  return join(std::move(whole));
}

// The place of a request; the end where it is not to be kept.
PartCollector::Requests::iterator PartCollector::find_room(std::unique_lock<std::mutex>& lock,
                                                           std::uint64_t request, Deadline deadline) {
  while (!closed_ && !deadline.passed()) {
    const auto known = requests_.find(request);
    if (known != requests_.end()) return known;
    drop_late();
    if (requests_.size() < capacity_ || request < requests_.rbegin()->first) {
      return requests_
          .emplace(request,
                   Request{std::vector<std::optional<Frame>>(parts_.size()), parts_.size(), deadline})
          .first;
    }
    Clock::time_point next = deadline.time();
    for (const auto& [number, held] : requests_) next = std::min(next, held.deadline.time());
    changed_.wait_until(lock, next);
  }
  return requests_.end();
}

void PartCollector::drop_late() {
  std::erase_if(requests_, [](const auto& entry) { return entry.second.deadline.passed(); });
}

PartCollector::Whole PartCollector::join(Request request) const {
  Whole whole{std::move(*request.parts.front()), request.deadline};
  std::vector<WireTensor> tensors(inputs_);
  const auto place = [&](std::size_t part, std::vector<WireTensor>& from) {
    for (std::size_t i = 0; i < from.size(); ++i) tensors[parts_[part][i]] = std::move(from[i]);
  };
  place(0, whole.frame.tensors);
  v1::FrameHeader& header = whole.frame.header;
  for (std::size_t part = 1; part < request.parts.size(); ++part) {
    Frame& other = *request.parts[part];
    place(part, other.tensors);
    // The stages before the branches stand in every part.
    const int stages = std::min(other.header.slots_size(), other.header.stage_seconds_size());
    for (int i = 0; i < stages; ++i) {
      if (std::count(header.slots().begin(), header.slots().end(), other.header.slots(i)) > 0) continue;
      header.add_slots(other.header.slots(i));
      header.add_stage_seconds(other.header.stage_seconds(i));
    }
  }
  header.clear_part();
  whole.frame.tensors = std::move(tensors);
  return whole;
}

void PartCollector::drop(std::uint64_t request) {
  const std::lock_guard lock(mutex_);
  requests_.erase(request);
  changed_.notify_all();
}

void PartCollector::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  requests_.clear();
  changed_.notify_all();
}

std::size_t PartCollector::waiting() const {
  const std::lock_guard lock(mutex_);
  return requests_.size();
}

}  // namespace lamina
