// One place in a pipeline on this worker: frames wait, are computed on one after another, and go to the next
// place.
#pragma once

#include "base/clock.h"
#include "cluster/bounded_queue.h"
#include "cluster/data_path.h"
#include "engine/engine.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace lamina {

struct SlotRoute {
  std::string worker;  // this worker's name, for errors
  std::uint64_t pipeline = 0;
  std::uint32_t slot = 0;
  std::uint32_t next_slot = 0;        // 0: the head
  std::size_t queue = 16;             // frames that wait at most
  WireFormat wire = WireFormat::f32;  // of the tensors that go on
};

class Slot {
 public:
  // `next` and `head` may be one link; the slot closes them when it ends.
  Slot(SlotRoute route, std::shared_ptr<Executable> executable, std::shared_ptr<DataLink> next,
       std::shared_ptr<DataLink> head);
  ~Slot();
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  const SlotRoute& route() const { return route_; }
  // Waits while the queue is full.
  void receive(Frame frame);
  // A request nobody waits for any more.
  void cancel(std::uint64_t request);
  bool connected() const { return next_->alive(); }
  const std::string& forward_address() const { return next_->address(); }

 private:
  struct Waiting {
    Frame frame;
    Deadline deadline;
  };
  void run();
  void compute(Waiting waiting);
  void send_error(std::uint64_t request, const Error& error);
  bool is_cancelled(std::uint64_t request);

  SlotRoute route_;
  std::shared_ptr<Executable> executable_;
  std::shared_ptr<DataLink> next_;
  std::shared_ptr<DataLink> head_;
  BoundedQueue<Waiting> queue_;
  std::mutex mutex_;
  std::set<std::uint64_t> cancelled_;          // guarded by mutex_
  std::deque<std::uint64_t> cancelled_order_;  // oldest first, so that it stays bounded
  std::thread thread_;
};

}  // namespace lamina
