// A pipeline that serves: workers, supervisor and HTTP front end together.
#pragma once

#include "cli/replanning.h"
#include "cli/steps.h"
#include "cluster/batcher.h"
#include "cluster/supervisor.h"
#include "deploy/record.h"
#include "deploy/worker_keeper.h"
#include "serve/http_server.h"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace lamina::cli {

// Serves from construction to destruction, with a record that `lamina status` shows. Workers that are lost
// are done without, local ones are started again.
class Running {
 public:
  // `directory` is the model's. Takes the workers of `fleet` over. Throws the first Error of a stage that
  // can't be loaded or connected; with `resumed`, what can't be run as planned is planned anew.
  Running(const std::filesystem::path& directory, const SlicedModel& model, const Plan& plan, Fleet& fleet,
          const std::filesystem::path& deployment, const ServeArguments& arguments, bool resumed = false);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  // What the front end asks: the supervisor, behind a batcher where requests are joined.
  Orchestrator& pipeline() { return batcher_ ? static_cast<Orchestrator&>(*batcher_) : *supervisor_; }
  int port() const { return http_->port(); }
  // Takes no new requests and finishes those under way.
  void stop() { http_->stop(); }

 private:
  std::string find(const std::string& machine) const;
  void save();

  const Plan& plan_;
  std::map<std::string, std::string> addresses_;  // of machines whose workers run elsewhere
  Replanning replanning_;                         // used by the supervisor's thread alone

  std::mutex record_mutex_;
  DeploymentRecord record_;  // guarded by record_mutex_; without a port until it serves
  std::unique_ptr<WorkerKeeper> keeper_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<Batcher> batcher_;  // nothing where each request goes alone
  std::unique_ptr<HttpServer> http_;
};

}  // namespace lamina::cli
