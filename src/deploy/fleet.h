// The workers of a benchmark or a deployment: those started here and those that run elsewhere.
#pragma once

#include "cluster/security.h"
#include "cluster/worker_client.h"
#include "deploy/local_worker.h"
#include "profile/benchmark.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace lamina {

struct FleetOptions {
  std::filesystem::path directory;  // of the local workers' stores and logs
  std::string engine = "openvino";
  TlsFiles tls;
  std::chrono::milliseconds startup{60'000};
  bool attached = true;
  std::filesystem::path program = {};  // of local workers; empty: this program
};

struct FleetMember {
  DeviceInfo device;  // as its worker describes it, under the name it has in the list of devices
  std::string engine;
  std::unique_ptr<WorkerClient> client;
};

// Starts local workers and reaches the others. Local ones end with this object unless released.
class Fleet {
 public:
  // Throws the Error of the first worker that does not come up, naming it.
  Fleet(const std::vector<DeviceInfo>& devices, const FleetOptions& options);

  const std::vector<FleetMember>& members() const { return members_; }
  const FleetMember& member(const std::string& name) const;
  const std::vector<LocalWorker>& local_workers() const { return local_; }
  // For a WorkerKeeper, after which this object's other members may no longer be used.
  std::vector<LocalWorker>& give_workers() { return local_; }
  void release();
  // Starts a local worker again that no longer answers, empty, and says how it ended; its member gets a new
  // client. Error(unavailable) for one that runs elsewhere.
  std::string restart(const std::string& name);
  // The same for each local worker that ended.
  void restart_ended();
  // How local workers ended that no longer run; empty when all still do after `limit`: a connection breaks
  // before its process is seen to have ended.
  std::string losses(std::chrono::milliseconds limit) const;

 private:
  FleetOptions options_;
  std::vector<LocalWorker> local_;
  std::vector<FleetMember> members_;
};

}  // namespace lamina
