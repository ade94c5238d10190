// One place in a pipeline on this worker: parts of requests come together, wait, are computed on one after
// another, and results go to the next places.
#pragma once

#include "base/clock.h"
#include "base/shares.h"
#include "cluster/bounded_queue.h"
#include "cluster/data_path.h"
#include "cluster/part_collector.h"
#include "engine/engine.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
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
  std::string stage;       // the name that it is loaded under
  std::size_t queue = 16;  // requests that wait at most, whole or in parts
  Parts parts;             // none: one frame holds all inputs in their order
};

// A stage that results go to, or the head: each to one of its places.
struct SlotConsumer {
  std::vector<NextSlot> places;
  std::vector<std::size_t> outputs;   // that it gets, in the order in which they travel
  std::uint32_t part = 0;             // which part of its inputs they are
  WireFormat wire = WireFormat::f32;  // of the tensors on the way
};

class Slot {
 public:
  // Consumers are sent to in their order. A link of one of them and `head` may be one; the slot closes them
  // when it ends.
  Slot(SlotRoute route, std::shared_ptr<Executable> executable, std::vector<SlotConsumer> consumers,
       std::shared_ptr<DataLink> head);
  ~Slot();
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  const SlotRoute& route() const { return route_; }
  // Waits while the queue is full.
  void receive(Frame frame);
  // Wakes whoever waits in receive(); nothing more is taken.
  void close();
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
  // What goes to each consumer.
  struct Result {
    v1::FrameHeader header;
    std::vector<std::vector<WireTensor>> tensors;
  };
  void run();
  void send_results();
  void send_on(Result result);
  std::vector<std::vector<WireTensor>> share_out(const std::vector<Tensor>& outputs) const;
  void compute(Waiting waiting);
  void send_error(std::uint64_t request, const Error& error);
  bool is_cancelled(std::uint64_t request);

  SlotRoute route_;
  std::shared_ptr<Executable> executable_;
  std::vector<SlotConsumer> consumers_;
  std::vector<Shares> turns_;  // of each consumer's places; used by whichever thread sends
  std::shared_ptr<DataLink> head_;
  std::optional<PartCollector> collector_;  // nothing where requests come whole
  BoundedQueue<Waiting> queue_;
  BoundedQueue<Result> results_{1};
  std::atomic<int> unsent_{0};  // results that the sending thread has yet to send
  std::mutex mutex_;
  std::set<std::uint64_t> cancelled_;          // guarded by mutex_
  std::deque<std::uint64_t> cancelled_order_;  // oldest first, so that it stays bounded
  std::thread computing_;
  std::thread sending_;  // of its own: while it waits for the network the next frame is computed
};

}  // namespace lamina
