// A plan on a fleet, as a running pipeline.
#pragma once

#include "cluster/blueprint.h"
#include "cluster/head.h"
#include "deploy/fleet.h"
#include "plan/plan.h"
#include "slice/artifact.h"

#include <memory>
#include <string>

namespace lamina {

// The plan's stages, by name of machine. Error(invalid_argument) when the plan was made for another model.
Blueprint make_blueprint(const SlicedModel& model, const std::string& model_hash, const Plan& plan);

// A head for the plan's stages on the fleet's workers, not started. Error(invalid_argument) when the plan was
// made for another model or names a device that the fleet lacks.
std::unique_ptr<Head> make_head(const SlicedModel& model, const std::string& model_hash, const Plan& plan,
                                const Fleet& fleet, const HeadOptions& options);

}  // namespace lamina
