#include "golden/compare.h"

#include "base/error.h"
#include "graph/convert.h"
#include "slice/cuts.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace lamina {

namespace {

std::size_t best_class(const std::vector<float>& scores, std::size_t item, std::size_t width) {
  const auto begin = scores.begin() + static_cast<std::ptrdiff_t>(item * width);
  return static_cast<std::size_t>(std::max_element(begin, begin + static_cast<std::ptrdiff_t>(width)) -
                                  begin);
}

// Two scores that differ by less than the tolerance may change places.
bool same_best_class(const std::vector<float>& actual, const std::vector<float>& expected, std::size_t item,
                     std::size_t width, double scale) {
  const std::size_t ours = item * width + best_class(actual, item, width);
  const std::size_t theirs = item * width + best_class(expected, item, width);
  return std::fabs(static_cast<double>(expected[ours]) - static_cast<double>(expected[theirs])) <=
         2 * kTolerance * scale;
}

std::string compare_output(std::size_t index, const Tensor& actual, const Tensor& expected) {
  if (actual.shape() != expected.shape()) {
    return fmt::format("output {} has shape {}, Keras's has {}", index, to_string(actual.shape()),
                       to_string(expected.shape()));
  }
  const std::vector<float> ours = convert(actual, DType::f32).to_floats();
  const std::vector<float> theirs = convert(expected, DType::f32).to_floats();
  double scale = 0;
  for (const float value : theirs) scale = std::max(scale, std::fabs(static_cast<double>(value)));
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(ours[i]) - static_cast<double>(theirs[i]));
    if (!(difference <= kTolerance * scale)) {
      return fmt::format("output {} at {} is {}, Keras's is {} (largest value {})", index, i, ours[i],
                         theirs[i], scale);
    }
  }
  if (expected.shape().size() != 2) return "";
  const auto width = static_cast<std::size_t>(expected.shape()[1]);
  for (std::size_t item = 0; width > 0 && item < theirs.size() / width; ++item) {
    if (!same_best_class(ours, theirs, item, width, scale)) {
      return fmt::format("item {} of output {} is of class {}, Keras says {}", item, index,
                         best_class(ours, item, width), best_class(theirs, item, width));
    }
  }
  return "";
}

}  // namespace

std::string describe_difference(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected) {
  if (actual.size() != expected.size()) {
    return fmt::format("{} outputs, Keras has {}", actual.size(), expected.size());
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    std::string difference = compare_output(i, actual[i], expected[i]);
    if (!difference.empty()) return difference;
  }
  return "";
}

std::vector<Tensor> run_cut(Engine& engine, const Graph& graph, const std::vector<std::size_t>& positions,
                            const std::vector<Tensor>& inputs) {
  const std::vector<Cut> cuts = find_cuts(graph);
  std::vector<std::size_t> ends = positions;
  ends.push_back(graph.layers().size());
  std::vector<Tensor> tensors = inputs;
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    const Graph stage = extract_stage(graph, cuts, begin, end);
    const std::int64_t batch = check_inputs(signature_of(stage), tensors);
    tensors = engine.compile(stage, {.batch = batch})->run(tensors);
    begin = end;
  }
  return tensors;
}

}  // namespace lamina
