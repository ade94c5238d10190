// One machine's end: loads stages, runs them on the frames that arrive, passes results on.
#pragma once

#include "cluster/security.h"
#include "engine/engine.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace lamina {

// Both ends must speak the same version.
constexpr std::uint32_t kProtocolVersion = 4;

struct WorkerOptions {
  std::string name;
  std::string listen = "127.0.0.1:0";  // port 0: any that is free
  int threads = 0;                     // 0: as many as this process may use
  std::uint64_t memory = 0;     // bytes this process may use; told to others, not enforced here; 0: no limit
  std::filesystem::path store;  // where weights are kept
  std::uint64_t store_bytes = std::uint64_t{64} << 30U;  // that they may take there
  std::string engine = "openvino";
  std::shared_ptr<Engine> loaded_engine;  // used instead of loading `engine`
  TlsFiles tls;
  std::uint64_t max_frame_bytes = std::uint64_t{2} << 30U;
};

// Serves from construction to destruction. Thread-safe.
class WorkerServer {
 public:
  // Error(unavailable) when the address can't be listened on, Error(not_found) without the engine.
  explicit WorkerServer(WorkerOptions options);
  ~WorkerServer();
  WorkerServer(const WorkerServer&) = delete;
  WorkerServer& operator=(const WorkerServer&) = delete;

  // host:port that others reach it at.
  const std::string& address() const;
  // Stops taking work; what is under way gets until then.
  void shutdown(std::chrono::milliseconds drain);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lamina
