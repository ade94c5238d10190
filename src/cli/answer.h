// Answers as people read them.
#pragma once

#include "engine/engine.h"
#include "graph/tensor.h"

#include <string>
#include <vector>

namespace lamina::cli {

// Class names, one a line; an empty path gives none.
std::vector<std::string> load_classes(const std::string& path);

// For each output its type, and where it looks like scores of classes, the best class of each item.
void print_answer(const Signature& signature, const std::vector<Tensor>& outputs,
                  const std::vector<std::string>& classes);

// The greatest absolute difference between two lists of outputs, divided by the greatest absolute value of
// `expected` (output by output; the worst counts). Shapes must be equal.
double relative_difference(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected);

}  // namespace lamina::cli
