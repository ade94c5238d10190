#include "cli/answer.h"

#include "base/error.h"
#include "base/file.h"
#include "graph/convert.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <sstream>

namespace lamina::cli {

namespace {

constexpr std::uint64_t kMaxClassFile = 16U << 20U;
constexpr std::int64_t kMaxItemsShown = 8;

bool looks_like_scores(const Tensor& output) {
  return output.shape().size() == 2 && output.shape()[1] > 1 && is_floating(output.dtype());
}

void print_best_classes(const Tensor& output, const std::vector<std::string>& classes) {
  const std::vector<float> scores = convert(output, DType::f32).to_floats();
  const std::int64_t items = output.shape()[0];
  const std::int64_t width = output.shape()[1];
  for (std::int64_t item = 0; item < std::min(items, kMaxItemsShown); ++item) {
    const auto begin = scores.begin() + item * width;
    const auto best = std::max_element(begin, begin + width) - begin;
    const bool named = static_cast<std::size_t>(best) < classes.size();
    const std::string name =
        named ? classes[static_cast<std::size_t>(best)] : "class " + std::to_string(best);
    std::printf("  item %ld: %s (%.6g)\n", static_cast<long>(item), name.c_str(),
                static_cast<double>(*(begin + best)));
  }
  if (items > kMaxItemsShown) std::printf("  … and %ld more\n", static_cast<long>(items - kMaxItemsShown));
}

}  // namespace

std::vector<std::string> load_classes(const std::string& path) {
  std::vector<std::string> classes;
  if (path.empty()) return classes;
  std::istringstream lines(read_file(path, kMaxClassFile));
  for (std::string line; std::getline(lines, line);) classes.push_back(line);
  return classes;
}

void print_answer(const Signature& signature, const std::vector<Tensor>& outputs,
                  const std::vector<std::string>& classes) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::printf("%s: %s\n", signature.outputs[i].name.c_str(), to_string(outputs[i].type()).c_str());
    if (looks_like_scores(outputs[i])) print_best_classes(outputs[i], classes);
  }
}

double relative_difference(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (actual.at(i).shape() != expected[i].shape()) {
      fail(ErrorCode::internal, "outputs of shapes {} and {} can't be compared", to_string(actual[i].shape()),
           to_string(expected[i].shape()));
    }
    const std::vector<float> a = convert(actual[i], DType::f32).to_floats();
    const std::vector<float> b = convert(expected[i], DType::f32).to_floats();
    double difference = 0;
    double scale = std::numeric_limits<double>::min();
    for (std::size_t k = 0; k < b.size(); ++k) {
      const double delta = std::fabs(static_cast<double>(a[k]) - static_cast<double>(b[k]));
      difference = std::isnan(delta) ? std::numeric_limits<double>::infinity() : std::max(difference, delta);
      scale = std::max(scale, std::fabs(static_cast<double>(b[k])));
    }
    worst = std::max(worst, difference / scale);
  }
  return worst;
}

}  // namespace lamina::cli
