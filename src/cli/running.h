// A pipeline that serves: workers, head and HTTP front end together.
#pragma once

#include "cli/steps.h"
#include "cluster/batcher.h"
#include "cluster/head.h"
#include "deploy/record.h"
#include "serve/http_server.h"

#include <filesystem>
#include <memory>

namespace lamina::cli {

// Serves from construction to destruction, with a record that `lamina status` shows.
class Running {
 public:
  // `directory` is the model's. Takes the workers over. Throws the first Error of a stage that can't be
  // loaded or connected.
  Running(const std::filesystem::path& directory, const SlicedModel& model, const Plan& plan,
          const Fleet& fleet, const std::filesystem::path& deployment, const ServeArguments& arguments);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  // What the front end asks: the head, behind a batcher where requests are joined.
  Orchestrator& pipeline() { return batcher_ ? static_cast<Orchestrator&>(*batcher_) : *head_; }
  int port() const { return http_->port(); }
  // Takes no new requests and finishes those under way.
  void stop() { http_->stop(); }

 private:
  DeploymentRecord record_;
  std::unique_ptr<Head> head_;
  std::unique_ptr<Batcher> batcher_;  // nothing where each request goes alone
  std::unique_ptr<HttpServer> http_;
};

}  // namespace lamina::cli
