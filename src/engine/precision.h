// Choosing how precisely to compute.
#pragma once

#include "engine/engine.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lamina {

// "f32" or "bf16"; anything else is Error(invalid_argument).
Precision precision_from_string(std::string_view text);

struct AutoPrecision {
  std::unique_ptr<Executable> executable;
  Precision precision = Precision::f32;
  std::string reason;  // why, for people: "largest difference 0.3 % of the largest output, allowed 1.0 %"
};

// How far answers are from those they should be.
struct Difference {
  double largest = 0;        // over the outputs, relative to the largest absolute value of the output
  bool same_classes = true;  // no item changes its best class
};
Difference compare_outputs(std::span<const Tensor> actual, std::span<const Tensor> expected);

// What counts as the same answer where nobody says otherwise.
constexpr double kTolerance = 0.01;
inline bool is_within(const Difference& difference, double tolerance) {
  return difference.largest <= tolerance && difference.same_classes;
}
// "differs by 0.3 % of the largest output, allowed 1 %, and keeps every best class"
std::string to_string(const Difference& difference, double tolerance);

// bf16 where the processor has it and the answers on the calibration input stay the same: no output differs
// by more than `tolerance` times its largest absolute value, and no item changes its best class. Otherwise
// f32.
AutoPrecision compile_with_auto_precision(Engine& engine, const Graph& graph, CompileOptions options,
                                          std::span<const Tensor> calibration, double tolerance);

}  // namespace lamina
