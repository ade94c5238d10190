#include "serve/body_intake.h"

#include <algorithm>
#include <utility>

namespace lamina {

std::chrono::nanoseconds least_rate_time(const HttpOptions& options, std::uint64_t bytes) {
  const double seconds = static_cast<double>(bytes) /
                         static_cast<double>(std::max<std::uint64_t>(options.min_bytes_per_second, 1));
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
}

void BodyIntake::begin() {
  begin_ = Clock::now();
  due_ = begin_ + options_.header_timeout;
  received_ = 0;
}

void BodyIntake::receive(std::uint64_t bytes) {
  received_ += bytes;
  // Haste is no credit for a long rest: the line is never further off than at first.
  due_ = std::min(due_ + least_rate_time(options_, bytes),
                  Clock::now() + Clock::duration(options_.header_timeout));
}

bool BodyIntake::has_room_for(std::uint64_t bytes) const {
  return buffered_ + bytes <= options_.max_buffered_bytes;
}

bool BodyIntake::charge(std::uint64_t bytes) {
  const std::uint64_t more = bytes - std::exchange(held_, bytes);
  return buffered_.fetch_add(more) + more <= options_.max_buffered_bytes;
}

void BodyIntake::release() { buffered_ -= std::exchange(held_, 0); }

}  // namespace lamina
