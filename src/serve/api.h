// What the server says to a request, whatever connection it came by.
#pragma once

#include "cluster/orchestrator.h"
#include "serve/http_options.h"
#include "serve/metrics.h"
#include "serve/recent.h"
#include "serve/reply.h"
#include "serve/target.h"
#include "serve/tokens.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/thread_pool.hpp>

namespace lamina {

struct ApiRequest {
  Target target;
  std::string accept;  // its Accept header
  bool known = true;   // comes from a client who may see addresses and errors of workers
  Buffer body;
};

// Thread-safe.
class Api {
 public:
  // Called once, from any thread, perhaps before the call it was given to returns.
  using Respond = std::function<void(Reply)>;
  // Gives a request up; its Respond may still be called.
  using Cancel = std::function<void()>;

  struct Route {
    std::string_view path;
    std::string_view allow;  // its methods: "GET, HEAD" or "GET" or "POST"
    Right right = Right::operate;
    bool slow = false;  // may take as long as control_timeout
    Cancel (Api::*answer)(const ApiRequest&, const Respond&) = nullptr;
  };

  // All must outlive this.
  Api(Orchestrator& orchestrator, const HttpOptions& options, Metrics& metrics);
  ~Api();

  // The route of a path, or nullptr.
  static const Route* find(std::string_view path);
  // 404 or 405 where the request's line alone earns it.
  static std::optional<Reply> refuse(const Route* route, std::string_view method, std::string_view path);

  // Throws nothing: errors become replies.
  Cancel answer(const Route& route, const ApiRequest& request, const Respond& respond);

  // From now on /health/ready says no.
  void drain() { draining_ = true; }
  // Waits for what runs in the background.
  void join();

 private:
  Cancel input(const ApiRequest& request, const Respond& respond);
  Cancel connect(const ApiRequest& request, const Respond& respond);
  Cancel activate(const ApiRequest& request, const Respond& respond);
  Cancel worker_health(const ApiRequest& request, const Respond& respond);
  Cancel health(const ApiRequest& request, const Respond& respond);
  Cancel live(const ApiRequest& request, const Respond& respond);
  Cancel ready(const ApiRequest& request, const Respond& respond);
  Cancel metrics(const ApiRequest& request, const Respond& respond);
  Cancel status(const ApiRequest& request, const Respond& respond);
  Cancel classes(const ApiRequest& request, const Respond& respond);
  Cancel page(const ApiRequest& request, const Respond& respond);

  // Runs what may block off the threads that serve connections; few may wait.
  void in_background(const Respond& respond, std::function<Reply()> work);

  Orchestrator& orchestrator_;
  const HttpOptions& options_;
  Metrics& metrics_;
  std::shared_ptr<RecentPredictions> recent_ = std::make_shared<RecentPredictions>();
  std::atomic<bool> draining_ = false;
  std::atomic<int> background_ = 0;
  boost::asio::thread_pool pool_{2};
};

}  // namespace lamina
