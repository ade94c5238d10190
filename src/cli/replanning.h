// Plans for machines that are lost, come back or become slow while a plan serves.
#pragma once

#include "cli/planning.h"
#include "cluster/blueprint.h"
#include "cluster/conditions.h"
#include "plan/plan.h"
#include "slice/artifact.h"

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace lamina::cli {

// Thread-safe: an answer may be needed before another, that is no longer wanted, is found.
class Replanning {
 public:
  // `plan` was made for the model in `directory`; it and `model` outlive this.
  Replanning(const std::filesystem::path& directory, const SlicedModel& model, const Plan& plan);

  // The plan itself, to begin with.
  Blueprint first();
  // The plan itself where its machines are all there and as they were; otherwise what the same demands give
  // on those that are, or where that does not carry the rows a second what does, or else what carries most.
  // Its gain is against the plan of the name `serving`. An Error where none fits.
  Blueprint plan_for(const Conditions& conditions, const std::string& serving, double rows_per_second);
  // As of SupervisorOptions.
  std::optional<Blueprint> stopgap_for(const Conditions& conditions, const std::string& lost,
                                       double rows_per_second);
  // Of a blueprint that was returned here.
  Plan plan_of(const Blueprint& blueprint) const { return find_made(blueprint.name).value(); }

 private:
  bool is_whole(const Conditions& conditions) const;
  // What was asked of the plan, with files as they are found from here.
  PlanArguments arguments_here() const;
  Blueprint keep(const Plan& plan, const Conditions& conditions);
  std::optional<Plan> find_made(const std::string& blueprint) const;

  const std::filesystem::path directory_;
  const SlicedModel& model_;
  const Plan& plan_;
  const std::string model_hash_;
  mutable std::mutex mutex_;
  std::map<std::string, Plan> made_;  // by name of blueprint; guarded by mutex_
};

}  // namespace lamina::cli
