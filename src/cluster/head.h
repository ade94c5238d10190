// The orchestrator of one plan on workers that stay: sends requests into the pipeline, gathers answers, and
// fails what is under way when a worker is lost. See cluster/supervisor.h for one that recovers.
#pragma once

#include "cluster/head_plan.h"
#include "cluster/orchestrator.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace lamina {

class Head : public Orchestrator {
 public:
  // `signature` is that of the whole model. A stage runs when all its tensors of a request have come. Nothing
  // is loaded yet: activate() and connect() do that. Throws as find_routes() does.
  Head(Signature signature, std::vector<HeadStage> stages, HeadOptions options);
  ~Head() override;
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;

  // Loads every stage, connects them, and starts to watch. Throws the first Error met, naming worker and
  // stage.
  void start();
  // Takes the stages from the workers again, as far as they answer; nothing can be predicted any more.
  void unload();

  const Signature& signature() const override;
  std::uint64_t predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) override;
  void cancel(std::uint64_t request) override;
  PipelineStatus connect() override;
  PipelineStatus activate() override;
  PipelineStatus status() const override;
  PipelineStatus check() override;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lamina
