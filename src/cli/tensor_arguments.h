// Inputs and outputs of a model as files on the command line.
#pragma once

#include "engine/engine.h"
#include "graph/tensor.h"

#include <string>
#include <vector>

namespace lamina::cli {

// Files given as FILE (in the model's order) or NAME=FILE, in the order of the signature.
// Error(invalid_argument) names what is missing, unknown or given twice.
std::vector<std::string> input_files(const Signature& signature, const std::vector<std::string>& arguments);

// Loads .npy files given so, converted to the dtypes the model takes. Errors as of input_files().
std::vector<Tensor> load_inputs(const Signature& signature, const std::vector<std::string>& arguments);

// Writes outputs to the files given as FILE or NAME=FILE. With one FILE and several outputs, each goes to
// FILE with ".NAME" before its extension.
void save_outputs(const Signature& signature, const std::vector<Tensor>& outputs,
                  const std::vector<std::string>& arguments);

}  // namespace lamina::cli
