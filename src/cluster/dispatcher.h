// Hands requests to the generation that serves. Those that it loses, or that come while none serves, wait for
// the next.
#pragma once

#include "base/rate_meter.h"
#include "cluster/generation.h"
#include "cluster/orchestrator.h"
#include "cluster/request_table.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace lamina {

// Thread-safe. An answer counts only from the generation that has the request, so each is answered once.
class Dispatcher {
 public:
  // At most `capacity` requests at once. One that `most_turns` generations have lost fails: it may be what
  // ends the workers. `lost` is called when a generation loses a request, without a lock.
  Dispatcher(Signature signature, std::size_t capacity, int most_turns,
             std::function<void(std::uint64_t pipeline, const Error&)> lost);
  // Fails what is under way with Error(cancelled).
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  const Signature& signature() const { return signature_; }
  // As of an Orchestrator.
  std::uint64_t predict(std::vector<Tensor> inputs, Deadline deadline, const Orchestrator::Callback& done);
  void cancel(std::uint64_t request);

  // An answer or an error from the generation of that pipeline.
  void receive(std::uint64_t pipeline, std::uint64_t request, Prediction prediction);
  // Whether somebody waits for the request, and that generation has it.
  bool has(std::uint64_t pipeline, std::uint64_t request) const {
    return requests_.is_with(pipeline, request);
  }

  // This generation serves from now on: requests that wait or were lost are sent to it. Those that another
  // has may still come from there, until send_all().
  void serve(std::shared_ptr<Generation> generation);
  // Sends what the generation that serves does not have.
  void send_all() { send(requests_.numbers()); }
  // None serves; returns the one that did.
  std::shared_ptr<Generation> retire();
  std::shared_ptr<Generation> serving() const;
  bool wait_until_serving(std::chrono::milliseconds limit) const;
  // Fails all requests with this error, and those to come until one serves.
  void refuse(const Error& error);
  bool is_refusing() const;

  // How many requests the generation of that pipeline has.
  std::size_t count_with(std::uint64_t pipeline) const { return requests_.count_with(pipeline); }
  // How many requests were sent more than once.
  std::uint64_t resent() const { return resent_; }
  void count(PipelineStatus& status) const { requests_.count(status); }
  // The rows a second that were asked for in the busiest five seconds of the last minute.
  double rows_per_second() const;

 private:
  void send(const std::vector<std::uint64_t>& numbers);
  void forget(std::uint64_t request);

  const Signature signature_;
  const int most_turns_;
  const std::function<void(std::uint64_t, const Error&)> lost_;
  RequestTable requests_;
  std::atomic<std::uint64_t> resent_{0};

  mutable std::mutex mutex_;
  mutable std::condition_variable serves_;
  // All below is guarded by mutex_.
  std::shared_ptr<Generation> serving_;  // none while nothing serves
  std::optional<Error> refusal_;
  RateMeter rows_;
};

}  // namespace lamina
