// How a request's body comes in: how fast it has to, and what it holds of the memory set aside for all
// bodies.
#pragma once

#include "base/clock.h"
#include "serve/http_options.h"

#include <atomic>
#include <chrono>
#include <cstdint>

namespace lamina {

// What so many bytes take at the least rate.
std::chrono::nanoseconds least_rate_time(const HttpOptions& options, std::uint64_t bytes);

// Used on the strand of the connection; `buffered` is shared by all connections.
class BodyIntake {
 public:
  BodyIntake(const HttpOptions& options, std::atomic<std::uint64_t>& buffered)
      : options_(options), buffered_(buffered) {}
  ~BodyIntake() { release(); }
  BodyIntake(const BodyIntake&) = delete;
  BodyIntake& operator=(const BodyIntake&) = delete;

  // Of a new request.
  void begin();
  // So much has come over the network.
  void receive(std::uint64_t bytes);
  // Whoever sends slower than the least rate falls behind this line and is cut off.
  std::chrono::nanoseconds patience() const { return due_ - Clock::now(); }
  // Whether so much more would fit beside the other bodies.
  bool has_room_for(std::uint64_t bytes) const;
  // Counts that `bytes` of the body are held now; false where all bodies hold too much. What is announced is
  // not counted, only what has come: who announces much and sends little takes no room.
  bool charge(std::uint64_t bytes);
  void release();

  std::uint64_t received() const { return received_; }
  double seconds() const { return seconds_since(begin_); }

 private:
  const HttpOptions& options_;
  std::atomic<std::uint64_t>& buffered_;
  Clock::time_point begin_;
  Clock::time_point due_;  // by when more must come
  std::uint64_t received_ = 0;
  std::uint64_t held_ = 0;
};

}  // namespace lamina
