// Holds a model's answers against Keras's: golden_check CASE_DIRECTORY
//
// case.json there: {"files": ["model.keras", …], "inputs": ["name", …], "batches": [1, 5], "cuts": "all" |
// 10, "input_shape": {"name": […]}}. Inputs are input_BATCH_I.npy, Keras's outputs output_BATCH_I.npy. Prints
// what differs; exit status 1 if anything does.
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/engine.h"
#include "golden/compare.h"
#include "graph/npy.h"
#include "keras/reader.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

namespace lamina {
namespace {

class Case {
 public:
  Case(std::filesystem::path directory, Engine& engine)
      : directory_(std::move(directory)),
        engine_(engine),
        json_(parse_json(read_file(directory_ / "case.json", 1U << 20U),
                         (directory_ / "case.json").string())) {}

  // The number of differences found.
  int check() {
    for (const std::string& file : json_strings(json_, "files", "case.json")) {
      const Graph graph = read_model(directory_ / file, options());
      file_ = file;
      check_whole(graph);
      check_cuts(graph);
    }
    return differences_;
  }

 private:
  ReadOptions options() const {
    ReadOptions options;
    const Json shapes = json_.value("input_shape", Json::object());
    for (const auto& [name, shape] : shapes.items()) {
      options.input_shapes[name] = shape.get<Shape>();
    }
    return options;
  }

  std::vector<Tensor> load(const std::string& kind, std::int64_t batch) const {
    std::vector<Tensor> tensors;
    for (int i = 0;; ++i) {
      const auto path = directory_ / fmt::format("{}_{}_{}.npy", kind, batch, i);
      if (!std::filesystem::exists(path)) return tensors;
      tensors.push_back(load_npy(path));
    }
  }

  void report(const std::string& difference, const std::string& how) {
    ++checks_;
    if (difference.empty()) return;
    ++differences_;
    std::printf("%s/%s %s: %s\n", directory_.filename().c_str(), file_.c_str(), how.c_str(),
                difference.c_str());
  }

  void check_whole(const Graph& graph) {
    const auto executable = engine_.compile(graph, {.batch = 1});
    for (const std::int64_t batch : json_integers(json_, "batches", "case.json")) {
      const std::vector<Tensor> outputs = executable->run(load("input", batch));
      report(describe_difference(outputs, load("output", batch)), fmt::format("batch {}", batch));
    }
  }

  void check_cuts(const Graph& graph) {
    const std::size_t last = graph.layers().size();
    const std::vector<Tensor> inputs = load("input", 1);
    const std::vector<Tensor> expected = load("output", 1);
    if (json_.value("cuts", Json()) == Json("all")) {
      std::vector<std::size_t> all;
      for (std::size_t position = 1; position < last; ++position) {
        report(describe_difference(run_cut(engine_, graph, {position}, inputs), expected),
               fmt::format("cut at {}", position));
        all.push_back(position);
      }
      report(describe_difference(run_cut(engine_, graph, all, inputs), expected), "cut everywhere");
      return;
    }
    std::vector<std::size_t> positions;
    for (std::size_t position = 1; position < last; ++position) positions.push_back(position);
    std::shuffle(positions.begin(), positions.end(), std::mt19937(7));  // NOLINT: the same cuts every time
    positions.resize(std::min<std::size_t>(positions.size(), 10));
    std::sort(positions.begin(), positions.end());
    report(describe_difference(run_cut(engine_, graph, positions, inputs), expected), "cut at 10 places");
  }

  std::filesystem::path directory_;
  Engine& engine_;
  Json json_;
  std::string file_;
  int checks_ = 0;
  int differences_ = 0;
};

int run(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: golden_check CASE_DIRECTORY\n");
    return 2;
  }
  try {
    const auto engine = load_engine("openvino");
    return Case(argv[1], *engine).check() == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::printf("%s: %s\n", argv[1], error.what());
    return 1;
  }
}

}  // namespace
}  // namespace lamina

int main(int argc, char** argv) { return lamina::run(argc, argv); }
