// Dynamic batching: requests that come close together travel through the pipeline as one.
#pragma once

#include "cluster/orchestrator.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace lamina {

struct BatcherOptions {
  std::int64_t max_batch = 1;          // rows of a joined request, at least 1
  std::chrono::microseconds window{};  // the longest wait for others to join, at least 0
  std::size_t max_in_flight = 64;      // requests taken and not answered, waiting or not; beyond are refused
};

// Joins requests along the batch axis, sends them on as one and splits the answer. Requests stay in order.
//
// The one that waits longest leaves, with all behind it that fit into `max_batch`, as soon as no more fit, or
// nothing is under way in the wrapped orchestrator, or it has waited for `window` (or for half of the time
// that one of them had until its deadline, where that is shorter). One of more than `max_batch` rows leaves
// alone. An error of a batch reaches each of its requests; a wrong input, a deadline or a cancelled request
// touches no other. A batch whose requests all ended is cancelled.
//
// Answers are those of single requests as long as no row of the batch influences another (graph/rows.h); in
// floating point an engine may round differently at another batch size.
//
// The status counts requests as they came, not batches; it adds the sizes of the batches.
class Batcher : public Orchestrator {
 public:
  // `wrapped` must outlive this, and its callbacks may come after this is gone. Error(unsupported) where its
  // signature can't be joined, Error(invalid_argument) for wrong options.
  Batcher(Orchestrator& wrapped, const BatcherOptions& options);
  // Ends all requests with Error(cancelled) and waits until each callback has returned, so it must not run
  // in one.
  ~Batcher() override;
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  const Signature& signature() const override;
  std::uint64_t predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) override;
  void cancel(std::uint64_t request) override;
  PipelineStatus connect() override;
  PipelineStatus activate() override;
  PipelineStatus status() const override;
  PipelineStatus check() override;

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace lamina
