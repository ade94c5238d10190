// The requests of a pipeline, from when they are taken until they are answered: whatever happens to the
// workers meanwhile, each is called back exactly once.
#pragma once

#include "cluster/orchestrator.h"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace lamina {

// A request as it is sent, and sent again: its tensors share their bytes with those of the table.
struct Request {
  std::uint64_t number = 0;
  std::vector<Tensor> inputs = {};
  Deadline deadline{Clock::duration::zero()};
};

// Thread-safe. Callbacks run without a lock, in the thread that answers or in one of the table's own.
class RequestTable {
 public:
  using Callback = Orchestrator::Callback;

  // At most `capacity` at once. `dropped` is told of each request that ended by its deadline: work on it is
  // in vain.
  RequestTable(std::size_t capacity, std::function<void(std::uint64_t)> dropped);
  ~RequestTable();
  RequestTable(const RequestTable&) = delete;
  RequestTable& operator=(const RequestTable&) = delete;

  // Error(resource_exhausted) where the table is full; `done` is then left to the caller.
  Request add(std::vector<Tensor> inputs, Deadline deadline, const Callback& done);
  // Answers with an error from another thread, since callers may hold locks that callbacks take; after
  // close() when the table ends.
  void refuse(Callback done, const Error& error);

  // False if it was answered before.
  bool answer(std::uint64_t number, Prediction prediction);
  // The same where the pipeline that has the request answers; of any other the answer is dropped.
  bool answer_from(std::uint64_t pipeline, std::uint64_t number, Prediction prediction);
  void fail_all(const Error& error);
  // Ends `dropped`; answers are still taken.
  void close();

  bool contains(std::uint64_t number) const;
  // Hands a request to a pipeline; nothing where it is answered or that pipeline has it already.
  std::optional<Request> hand_to(std::uint64_t pipeline, std::uint64_t number);
  // Whether the pipeline has the request.
  bool is_with(std::uint64_t pipeline, std::uint64_t number) const;
  // How many pipelines have had it.
  int turns(std::uint64_t number) const;
  // How many requests the pipeline has.
  std::size_t count_with(std::uint64_t pipeline) const;
  // In the order in which they came.
  std::vector<std::uint64_t> numbers() const;

  // Fills in the requests in flight, answered and failed.
  void count(PipelineStatus& status) const;

 private:
  struct Entry {
    std::vector<Tensor> inputs;
    Deadline deadline;
    Callback done;
    std::uint64_t pipeline = 0;  // that has it; 0: none yet
    int turns = 0;
  };

  bool finish(std::uint64_t number, const std::uint64_t* pipeline, Prediction prediction);
  void watch_deadlines();

  const std::size_t capacity_;
  const std::function<void(std::uint64_t)> dropped_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // All below is guarded by mutex_.
  std::map<std::uint64_t, Entry> entries_;
  std::vector<std::pair<Callback, Error>> refused_;
  std::uint64_t next_ = 1;
  std::uint64_t answered_ = 0;
  std::uint64_t failed_ = 0;
  bool closed_ = false;

  std::thread timer_;
};

}  // namespace lamina
