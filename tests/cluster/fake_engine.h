// An engine for tests of the cluster: runs add, multiply, relu and reshape on float32, and fails on demand.
#pragma once

#include "base/error.h"
#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace lamina {

// What a fake run does beside computing. A layer's class name asks for it.
//   "Slow"         takes 200 ms
//   "Brief"        takes 20 ms
//   "OutOfMemory"  throws Error(out_of_memory)
//   "OnlyOne"      does so for batches of more than one
class FakeExecutable : public Executable {
 public:
  explicit FakeExecutable(Graph graph) : graph_(std::move(graph)) {}

  std::vector<Tensor> run(std::span<const Tensor> inputs) override {
    const std::int64_t batch = check_inputs(signature_of(graph_), inputs);
    std::map<ValueId, Tensor> values;
    for (std::size_t i = 0; i < inputs.size(); ++i) values[graph_.inputs()[i].value] = inputs[i];
    for (ValueId value = 0; value < graph_.values().size(); ++value) {
      const Value& known = graph_.values()[value];
      if (known.kind == Value::Kind::weight) values[value] = graph_.weights()[known.source].data;
    }
    for (const Node& node : graph_.nodes()) {
      const std::string& kind = graph_.layers()[node.layer].class_name;
      if (kind == "Slow") std::this_thread::sleep_for(std::chrono::milliseconds(200));
      if (kind == "Brief") std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (kind == "OutOfMemory" || (kind == "OnlyOne" && batch > 1))
        fail(ErrorCode::out_of_memory, "no memory for layer '{}'", graph_.layers()[node.layer].name);
      values[node.outputs[0]] = compute(node, values, batch);
    }
    std::vector<Tensor> outputs;
    for (const Port& port : graph_.outputs()) outputs.push_back(values.at(port.value));
    return outputs;
  }

  MemoryUse memory() const override { return {}; }

 private:
  Tensor compute(const Node& node, const std::map<ValueId, Tensor>& values, std::int64_t batch) const {
    const Shape shape = at_batch(graph_.type(node.outputs[0]).shape, batch);
    std::vector<float> a = values.at(node.inputs[0]).to_floats();
    if (node.op->name == "relu") {
      for (float& value : a) value = std::max(value, 0.0F);
    } else if (node.op->name == "add" || node.op->name == "multiply") {
      const std::vector<float> b = values.at(node.inputs[1]).to_floats();
      for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = node.op->name == "add" ? a[i] + b[i % b.size()] : a[i] * b[i % b.size()];
      }
    }
    return Tensor::of(shape, a);
  }

  Graph graph_;
};

class FakeEngine : public Engine {
 public:
  std::string name() const override { return "fake"; }
  std::string version() const override { return "1"; }
  bool supports(Precision precision) const override { return precision == Precision::f32; }
  std::unique_ptr<Executable> compile(const Graph& graph, const CompileOptions&) override {
    return std::make_unique<FakeExecutable>(graph);
  }
};

}  // namespace lamina
