// What one deployment makes in a Swarm, all of it under its label.
#pragma once

#include "base/file.h"
#include "cluster/security.h"
#include "deploy/container_record.h"
#include "deploy/swarm.h"
#include "profile/benchmark.h"

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace lamina {

struct SwarmOptions {
  std::filesystem::path directory;  // of the sliced model
  std::string name;                 // of the deployment; empty: the directory's
  std::string image;                // without a registry in its name, every node must have it
  TlsFiles tls = {};       // the head's, of a directory that `lamina cert` made, where the worker's are too
  bool encrypted = false;  // the network; needs IPsec in the nodes' kernels
  int registry_port = 0;   // of a registry to start on this daemon's node and give the image to; 0: none
  std::chrono::milliseconds startup{60'000};
  Interruption interruption = [] {};
};

// A file's place here, and its name there.
using NamedFile = std::pair<std::filesystem::path, std::string>;

// Removed at the end unless kept. Members throw as those of Swarm do. Not thread-safe.
class SwarmStack {
 public:
  // Error(already_exists) for a name that is in use.
  SwarmStack(const Swarm& swarm, const SwarmOptions& options, ContainerRecord record);
  ~SwarmStack();
  SwarmStack(const SwarmStack&) = delete;
  SwarmStack& operator=(const SwarmStack&) = delete;

  // And the secrets that the services share, and the registry.
  void start_network();
  // And, while they start, puts `files` into a volume of this daemon's node.
  void start_workers(const std::vector<std::pair<SwarmNode, DeviceInfo>>& workers,
                     const std::vector<NamedFile>& files);
  // Takes a file out of it, into a directory.
  void fetch(const std::string& file, const std::filesystem::path& directory) const;
  // Keeps the volume's files for a head on another node. Returns where it gets them.
  std::string start_keeper();
  // On this daemon's node beside the volume, or on another with nothing yet. `secrets` are for it alone.
  const SwarmService& start_head(SwarmService head, const std::string& node,
                                 const std::vector<NamedFile>& secrets = {});

  // Throws for services that ended since.
  void expect_running() const;

  const ContainerRecord& record() const { return record_; }
  void remove();
  void keep() { exists_ = false; }

 private:
  std::string volume() const { return record_.name + "_model"; }
  std::string network() const { return record_.name + "_pipeline"; }
  std::string secret(const std::string& file) const { return record_.name + "_" + file; }
  void start_registry();
  std::string create_container() const;
  void fill_volume(const std::vector<NamedFile>& files) const;
  void start(SwarmService service, const std::string& role);
  void create_secret(const std::string& name, const std::filesystem::path& file) const;
  void push_image();
  std::string trust_advice() const;
  void wait() const;
  template <typename Action>
  void explain(const Action& action) const;

  Swarm swarm_;
  const SwarmOptions& options_;
  ContainerRecord record_;
  std::string image_;
  std::string registry_;              // HOST:PORT; empty: none was started
  TemporaryDirectory configuration_;  // of Docker, with the registry's password
  std::vector<SwarmService> services_;
  bool exists_ = false;
};

}  // namespace lamina
