// Where branches of a pipeline meet: parts of a request wait for each other.
#pragma once

#include "base/clock.h"
#include "cluster/frame.h"
#include "cluster/routes.h"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace lamina {

// Thread-safe.
class PartCollector {
 public:
  // A request with all its parts: tensors in the order of the inputs, the stages that it came through once
  // each.
  struct Whole {
    Frame frame;
    Deadline deadline;
  };

  // Holds at most `capacity` requests that are not whole, and those that are older than one of them: whoever
  // waits for room then never keeps back what would make it.
  PartCollector(Parts parts, std::size_t capacity);

  // The request once this was its last part. Else nothing: other parts are to come, or the part is dropped
  // since its deadline passed or the collector was closed while it waited for room. Error(corrupt) for a part
  // that is none, does not hold the tensors that belong to it, or came before.
  std::optional<Whole> add(Frame part, Deadline deadline);
  // Frees what waits of a request that nobody waits for any more.
  void drop(std::uint64_t request);
  // Wakes all who wait; what is inside is dropped.
  void close();
  // Requests that wait for a part.
  std::size_t waiting() const;

 private:
  struct Request {
    std::vector<std::optional<Frame>> parts;
    std::size_t missing = 0;
    Deadline deadline;
  };
  using Requests = std::map<std::uint64_t, Request>;

  void check(const Frame& part) const;
  Requests::iterator find_room(std::unique_lock<std::mutex>& lock, std::uint64_t request, Deadline deadline);
  void drop_late();
  Whole join(Request request) const;

  const Parts parts_;
  const std::size_t capacity_;
  std::size_t inputs_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Requests requests_;    // guarded by mutex_
  bool closed_ = false;  // guarded by mutex_
};

}  // namespace lamina
