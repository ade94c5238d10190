#include "deploy/pipeline.h"

#include "base/error.h"

#include <map>
#include <utility>

namespace lamina {

std::unique_ptr<Head> make_head(const SlicedModel& model, const std::string& model_hash, const Plan& plan,
                                const Fleet& fleet, HeadOptions options) {
  if (plan.model_hash != model_hash || plan.stages.back().end + 1 != model.cuts.size()) {
    fail(ErrorCode::invalid_argument,
         "the plan was made for another model than '{}'; run 'lamina benchmark' and 'lamina configure' again",
         model.graph.name());
  }
  std::map<std::string, std::string> hash_of;
  for (std::size_t i = 0; i < model.hashes.size(); ++i)
    hash_of[model.graph.weights()[i].name] = model.hashes[i];
  std::vector<HeadStage> stages;
  for (const PlannedStage& planned : plan.stages) {
    HeadStage stage;
    stage.name = planned.name;
    for (const PlannedReplica& replica : planned.replicas)
      stage.replicas.push_back(
          {replica.device, fleet.member(replica.device).client->address(), replica.share});
    stage.graph = extract_stage(model.graph, model.cuts, planned.begin, planned.end);
    for (const Weight& weight : stage.graph.weights()) stage.hashes.push_back(hash_of.at(weight.name));
    stage.predicted_seconds = planned.seconds;
    stage.wire = planned.wire;
    stages.push_back(std::move(stage));
  }
  options.model = model.graph.name();
  options.predicted_latency = plan.latency;
  options.batch = plan.batch;
  options.return_wire = plan.return_wire;
  return std::make_unique<Head>(signature_of(model.graph), std::move(stages), std::move(options));
}

}  // namespace lamina
