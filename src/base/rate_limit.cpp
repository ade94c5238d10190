#include "base/rate_limit.h"

#include <algorithm>
#include <iterator>

namespace lamina {

namespace {
constexpr std::size_t kMostClients = 10'000;
}

RateLimit::RateLimit(double per_second) : RateLimit(per_second, std::max(per_second, 1.0)) {}

RateLimit::RateLimit(double per_second, double at_once) : per_second_(per_second), most_(at_once) {}

void RateLimit::refill(Bucket& bucket, Clock::time_point now) const {
  const double seconds = std::chrono::duration<double>(now - bucket.seen).count();
  bucket.left = std::min(most_, bucket.left + seconds * per_second_);
  bucket.seen = now;
}

std::chrono::duration<double> RateLimit::wait_of(const std::string& client, Clock::time_point now) {
  if (per_second_ <= 0) return {};
  const std::lock_guard lock(mutex_);
  auto found = buckets_.find(client);
  if (found == buckets_.end()) {
    if (buckets_.size() >= kMostClients) {
      // A bucket that is full again knows nothing that a new one would not.
      for (auto entry = buckets_.begin(); entry != buckets_.end();) {
        refill(entry->second, now);
        entry = entry->second.left >= most_ ? buckets_.erase(entry) : std::next(entry);
      }
    }
    // Where so many ask at once, the rest of them share one.
    const std::string& key = buckets_.size() >= kMostClients ? std::string() : client;
    found = buckets_.try_emplace(key, Bucket{most_, now}).first;
  }
  Bucket& bucket = found->second;
  refill(bucket, now);
  if (bucket.left >= 1) {
    bucket.left -= 1;
    return {};
  }
  return std::chrono::duration<double>((1 - bucket.left) / per_second_);
}

}  // namespace lamina
