#include "deploy/pipeline.h"

#include "base/error.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/ranges.h>

namespace lamina {

namespace {

// The layers of a stage of branches; none of a stage of all.
std::vector<LayerId> layers_of_stage(const SlicedModel& model, const PlannedStage& stage) {
  if (stage.branches.empty()) return {};
  for (const BranchBlock& block : model.blocks) {
    if (block.begin != stage.begin || block.end != stage.end) continue;
    if (*std::max_element(stage.branches.begin(), stage.branches.end()) < block.branches.size())
      return layers_of(block, stage.branches);
  }
  fail(ErrorCode::invalid_argument, "'{}' has no such branches as those of stage '{}' of the plan",
       model.graph.name(), stage.name);
}

// Which stage had a value last, and where among what it sends.
class Makers {
 public:
  explicit Makers(const SlicedModel& model) {
    const std::vector<ValueId>& inputs = model.cuts.front().crossing;
    for (std::size_t i = 0; i < inputs.size(); ++i) made_[inputs[i]] = {TensorSource::kRequest, i};
  }
  std::vector<TensorSource> of(const std::vector<ValueId>& values) const {
    std::vector<TensorSource> sources;
    for (const ValueId value : values) {
      const auto found = made_.find(value);
      if (found == made_.end())
        fail(ErrorCode::invalid_argument, "no stage of the plan makes value {}", value);
      sources.push_back(found->second);
    }
    return sources;
  }
  void add(std::size_t stage, const std::vector<ValueId>& outputs) {
    for (std::size_t i = 0; i < outputs.size(); ++i) made_[outputs[i]] = {stage, i};
  }

 private:
  std::map<ValueId, TensorSource> made_;
};

// Two plans of one text put the same stages on the same machines.
std::string describe(const Plan& plan) {
  std::string text = fmt::format("{} rows, answers in {}", plan.batch, to_string(plan.return_wire));
  for (const PlannedStage& stage : plan.stages) {
    text += fmt::format("; {}-{} [{}] in {}:", stage.begin, stage.end, fmt::join(stage.branches, ","),
                        to_string(stage.wire));
    for (const PlannedReplica& replica : stage.replicas)
      text += fmt::format(" {} {:.6f}", replica.device, replica.share);
  }
  return text;
}

}  // namespace

Blueprint make_blueprint(const SlicedModel& model, const std::string& model_hash, const Plan& plan) {
  Blueprint blueprint;
  blueprint.name = describe(plan);
  std::vector<HeadStage>& stages = blueprint.stages;
  HeadOptions& options = blueprint.options;
  if (plan.model_hash != model_hash || plan.stages.back().end + 1 != model.cuts.size()) {
    fail(ErrorCode::invalid_argument,
         "the plan was made for another model than '{}'; run 'lamina benchmark' and 'lamina configure' again",
         model.graph.name());
  }
  std::map<std::string, std::string> hash_of;
  for (std::size_t i = 0; i < model.hashes.size(); ++i)
    hash_of[model.graph.weights()[i].name] = model.hashes[i];
  Makers makers(model);
  StageEnds ends;
  for (const PlannedStage& planned : plan.stages) {
    HeadStage stage;
    stage.name = planned.name;
    for (const PlannedReplica& replica : planned.replicas) {
      const double expected = replica.seconds > 0 ? replica.seconds : planned.seconds;
      stage.replicas.push_back(
          {replica.device, "", replica.share, std::max(expected, planned.measured_seconds.value_or(0))});
    }
    const std::vector<LayerId> layers = layers_of_stage(model, planned);
    stage.graph = extract_stage(model.graph, model.cuts, planned.begin, planned.end, layers);
    ends = ends_of_stage(model.graph, model.cuts, planned.begin, planned.end, layers);
    stage.sources = makers.of(ends.inputs);
    for (const Weight& weight : stage.graph.weights()) stage.hashes.push_back(hash_of.at(weight.name));
    stage.predicted_seconds = planned.seconds;
    stage.wire = planned.wire;
    makers.add(stages.size(), ends.outputs);
    stages.push_back(std::move(stage));
  }
  // One stage may make all answers, in their order; else each comes from where it is made.
  if (has_branches(plan) && !plan.stages.back().branches.empty()) {
    std::vector<ValueId> answers;
    for (const Port& output : model.graph.outputs()) answers.push_back(output.value);
    options.sources = makers.of(answers);
  }
  options.model = model.graph.name();
  options.predicted_latency = plan.latency;
  options.batch = plan.batch;
  options.return_wire = plan.return_wire;
  return blueprint;
}

std::unique_ptr<Head> make_head(const SlicedModel& model, const std::string& model_hash, const Plan& plan,
                                const Fleet& fleet, const HeadOptions& options) {
  Blueprint blueprint = make_blueprint(model, model_hash, plan);
  for (HeadStage& stage : blueprint.stages) {
    for (HeadReplica& replica : stage.replicas)
      replica.address = fleet.member(replica.worker).client->address();
  }
  return std::make_unique<Head>(signature_of(model.graph), std::move(blueprint.stages),
                                combine(options, blueprint.options));
}

}  // namespace lamina
