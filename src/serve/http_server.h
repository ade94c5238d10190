// The HTTP/1.1 front end of a running pipeline: PAPDL's endpoints, health, metrics and a page for people.
//
//   GET  /                    the page
//   POST /input               .npy or .npz of inputs → .npy or .npz of outputs (model_io.h)
//   GET  /connect /activate   connects and loads the stages; 503 when one fails
//   GET  /healthcheck /workerhealthcheck
//   GET  /health/live /health/ready /metrics /status /classes
//
// Errors are {"error":{"code","message"}} with the status of reply.h; a wrong input is 400 with PAPDL's text.
#pragma once

#include "cluster/orchestrator.h"
#include "serve/http_options.h"

#include <cstdint>
#include <memory>

namespace lamina {

class HttpServer {
 public:
  // Listens and answers from now on, on threads of its own. `orchestrator` must outlive the server.
  // A port that is taken is Error(already_exists), an address that is not this machine's Error(unavailable);
  // both name the address.
  HttpServer(Orchestrator& orchestrator, HttpOptions options);
  // stop().
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The port listened on.
  std::uint16_t port() const;

  // Accepts no more connections, turns /health/ready to 503, closes idle connections, answers the requests
  // that are in flight for up to drain_timeout, then cancels the rest. Blocks until done; afterwards does
  // nothing. Thread-safe, but not to be called from a callback of the orchestrator.
  void stop();

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace lamina
