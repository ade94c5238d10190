// The head's connections to the workers of a generation, and the thread that sends requests by them.
#pragma once

#include "cluster/bounded_queue.h"
#include "cluster/data_path.h"
#include "cluster/places.h"
#include "cluster/request_table.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace lamina {

// What they ask and tell, from threads of its own.
struct RequestLinkEvents {
  // The connection to a place is broken, though requests may not enter there.
  std::function<void(std::size_t place, const Error&)> broken;
  // Whether somebody still waits for the request.
  std::function<bool(std::uint64_t request)> wanted;
  // It could not be sent.
  std::function<void(std::uint64_t request, const Error&)> failed;
};

// Thread-safe, save that one thread at a time opens them.
class RequestLinks {
 public:
  // All that is referred to outlives this.
  RequestLinks(const Places& places, const std::vector<HeadStage>& stages, const Routes& routes,
               const HeadOptions& options, std::uint64_t pipeline, RequestLinkEvents events);
  ~RequestLinks();
  RequestLinks(const RequestLinks&) = delete;
  RequestLinks& operator=(const RequestLinks&) = delete;

  // Connects to all places anew. Throws the first Error met.
  void open();
  // Whoever waits in open() is let go, now and later.
  void abandon();
  // Ends all: the thread may wait for a worker that no longer reads. Nothing more is sent.
  void close();

  bool is_open() const;
  // Whether all connections stand.
  bool alive() const;
  // False where too many wait to be sent.
  bool send(Request request) { return outbox_.try_push(std::move(request)); }

 private:
  // A connection to a replica of a stage; requests enter those that have a route.
  struct Entry {
    std::size_t route = 0;  // of those from the head
    std::size_t place = 0;
    std::shared_ptr<DataLink> link;
  };

  Entry connect(std::size_t route, std::size_t place);
  void send_requests();
  bool send_part(const Request& next, std::size_t route, std::size_t turn);

  const Places& places_;
  const std::vector<HeadStage>& stages_;
  const Routes& routes_;
  const HeadOptions& options_;
  const std::uint64_t pipeline_;
  const RequestLinkEvents events_;
  mutable std::mutex mutex_;
  // All below is guarded by mutex_.
  std::vector<Entry> entries_;         // by route, then in the order of the replicas
  std::shared_ptr<DataLink> opening_;  // being connected now
  bool abandoned_ = false;

  BoundedQueue<Request> outbox_;
  std::thread sender_;
};

}  // namespace lamina
