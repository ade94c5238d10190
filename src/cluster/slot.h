// One place in a pipeline on this worker: frames wait, are computed on one after another, and go to the next
// place.
#pragma once

#include "base/clock.h"
#include "base/shares.h"
#include "cluster/bounded_queue.h"
#include "cluster/data_path.h"
#include "engine/engine.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace lamina {

// Another place that results go to.
struct NextSlot {
  std::uint32_t slot = 0;  // 0: the head
  double share = 1;        // of the results
  std::shared_ptr<DataLink> link;
};

struct SlotRoute {
  std::string worker;  // this worker's name, for errors
  std::uint64_t pipeline = 0;
  std::uint32_t slot = 0;
  std::string stage;                  // the name that it is loaded under
  std::size_t queue = 16;             // frames that wait at most
  WireFormat wire = WireFormat::f32;  // of the tensors that go on
};

class Slot {
 public:
  // One of `next` and `head` may be one link; the slot closes them when it ends.
  Slot(SlotRoute route, std::shared_ptr<Executable> executable, std::vector<NextSlot> next,
       std::shared_ptr<DataLink> head);
  ~Slot();
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  const SlotRoute& route() const { return route_; }
  // Waits while the queue is full.
  void receive(Frame frame);
  // A request nobody waits for any more.
  void cancel(std::uint64_t request);
  bool connected() const;
  // host:port of each, separated by commas.
  std::string forward_address() const;

 private:
  struct Waiting {
    Frame frame;
    Deadline deadline;
  };
  void run();
  void send_results();
  void send_on(Frame result);
  void compute(Waiting waiting);
  void send_error(std::uint64_t request, const Error& error);
  bool is_cancelled(std::uint64_t request);

  SlotRoute route_;
  std::shared_ptr<Executable> executable_;
  std::vector<NextSlot> next_;
  Shares turns_;  // of next_; used by whichever thread sends
  std::shared_ptr<DataLink> head_;
  BoundedQueue<Waiting> queue_;
  BoundedQueue<Frame> results_{1};
  std::atomic<int> unsent_{0};  // results that the sending thread has yet to send
  std::mutex mutex_;
  std::set<std::uint64_t> cancelled_;          // guarded by mutex_
  std::deque<std::uint64_t> cancelled_order_;  // oldest first, so that it stays bounded
  std::thread computing_;
  std::thread sending_;  // of its own: while it waits for the network the next frame is computed
};

}  // namespace lamina
