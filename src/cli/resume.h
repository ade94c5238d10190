// Taking up a deployment whose head died: its directory holds what workers have of the model.
#pragma once

#include "deploy/record.h"

#include <filesystem>
#include <optional>

namespace lamina::cli {

// The last deployment of this model whose head was killed, as its record says: one that ended by itself
// leaves none. Ends what is left of its processes.
std::optional<DeploymentRecord> take_up_interrupted(const std::filesystem::path& model_directory);

}  // namespace lamina::cli
