// Plans on disk: DIR/plan.json (docs/formats.md).
#pragma once

#include "base/json.h"
#include "plan/plan.h"

#include <filesystem>
#include <string>

namespace lamina {

Json to_json(const Plan& plan);
// Error(corrupt) naming `where` for anything that doesn't fit: stages that leave holes, unknown devices.
Plan plan_from_json(const Json& json, const std::string& where);
void save_plan(const std::filesystem::path& directory, const Plan& plan);
Plan load_plan(const std::filesystem::path& directory);
Plan read_plan(const std::filesystem::path& file);

}  // namespace lamina
