#include "engine/precision.h"

#include "base/error.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace lamina {

namespace {

void compare_output(const Tensor& low, const Tensor& high, Difference& comparison) {
  if (high.dtype() != DType::f32) return;
  const std::vector<float> actual = low.to_floats();
  const std::vector<float> expected = high.to_floats();
  float scale = 0;
  float difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    scale = std::max(scale, std::fabs(expected[i]));
    const float delta = std::fabs(actual[i] - expected[i]);
    difference = std::isnan(delta) ? INFINITY : std::max(difference, delta);
  }
  if (difference > 0)
    comparison.largest = std::max(comparison.largest, static_cast<double>(difference / scale));
  if (high.shape().size() != 2) return;
  const std::ptrdiff_t width = high.shape()[1];
  for (std::ptrdiff_t begin = 0; width > 0 && begin < std::ssize(expected); begin += width) {
    const auto best = [&](const std::vector<float>& scores) {
      return std::max_element(scores.begin() + begin, scores.begin() + begin + width) - scores.begin();
    };
    comparison.same_classes = comparison.same_classes && best(actual) == best(expected);
  }
}

}  // namespace

Difference compare_outputs(std::span<const Tensor> actual, std::span<const Tensor> expected) {
  Difference difference;
  for (std::size_t i = 0; i < expected.size(); ++i) compare_output(actual[i], expected[i], difference);
  return difference;
}

std::string to_string(const Difference& difference, double tolerance) {
  return fmt::format("differs by {:.2g} % of the largest output, allowed {:.2g} %, and {} best class",
                     100 * difference.largest, 100 * tolerance,
                     difference.same_classes ? "keeps every" : "changes a");
}

Precision precision_from_string(std::string_view text) {
  if (text == "f32") return Precision::f32;
  if (text == "bf16") return Precision::bf16;
  fail(ErrorCode::invalid_argument, "precision is '{}', expected f32, bf16 or auto", text);
}

AutoPrecision compile_with_auto_precision(Engine& engine, const Graph& graph, CompileOptions options,
                                          std::span<const Tensor> calibration, double tolerance) {
  options.precision = Precision::f32;
  auto exact = engine.compile(graph, options);
  if (!engine.supports(Precision::bf16)) {
    return {std::move(exact), Precision::f32, "this processor does not compute in bf16"};
  }
  options.precision = Precision::bf16;
  auto fast = engine.compile(graph, options);
  const std::vector<Tensor> expected = exact->run(calibration);
  const std::vector<Tensor> actual = fast->run(calibration);
  const Difference difference = compare_outputs(actual, expected);
  const std::string figures = "bf16 " + to_string(difference, tolerance);
  if (is_within(difference, tolerance)) {
    return {std::move(fast), Precision::bf16, figures};
  }
  return {std::move(exact), Precision::f32, figures};
}

}  // namespace lamina
