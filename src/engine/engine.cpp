#include "engine/engine.h"

#include "base/error.h"

#include <optional>

namespace lamina {

std::string_view to_string(Precision precision) { return precision == Precision::bf16 ? "bf16" : "f32"; }

Signature signature_of(const Graph& graph) {
  Signature signature;
  for (const Port& port : graph.inputs()) signature.inputs.push_back({port.name, graph.type(port.value)});
  for (const Port& port : graph.outputs()) signature.outputs.push_back({port.name, graph.type(port.value)});
  return signature;
}

namespace {

[[noreturn]] void wrong_input(const Signature::End& input, const Tensor& tensor) {
  fail(ErrorCode::invalid_argument, "input '{}' is {}, expected {}", input.name, to_string(tensor.type()),
       to_string(input.type));
}

// The batch size at which `expected` is `actual`; 0 where there is none, nothing where every size does.
std::optional<std::int64_t> solve_batch(const Shape& expected, const Shape& actual) {
  std::optional<std::int64_t> batch;
  if (expected.size() != actual.size()) return 0;
  for (std::size_t axis = 0; axis < expected.size(); ++axis) {
    if (expected[axis] >= 0) {
      if (expected[axis] != actual[axis]) return 0;
      continue;
    }
    const std::int64_t factor = -expected[axis];
    if (actual[axis] < factor || actual[axis] % factor != 0) return 0;
    const std::int64_t size = actual[axis] / factor;
    if (batch && *batch != size) return 0;
    batch = size;
  }
  return batch;
}

}  // namespace

std::int64_t check_inputs(const Signature& signature, std::span<const Tensor> inputs) {
  if (inputs.size() != signature.inputs.size()) {
    fail(ErrorCode::invalid_argument, "{} inputs were given, expected {}", inputs.size(),
         signature.inputs.size());
  }
  std::optional<std::int64_t> batch;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Signature::End& input = signature.inputs[i];
    if (inputs[i].dtype() != input.type.dtype) wrong_input(input, inputs[i]);
    const auto size = solve_batch(input.type.shape, inputs[i].shape());
    if (!size) continue;
    if (*size == 0) wrong_input(input, inputs[i]);
    if (batch && *batch != *size) {
      fail(ErrorCode::invalid_argument, "input '{}' has a batch of {}, the inputs before it {}", input.name,
           *size, *batch);
    }
    batch = size;
  }
  return batch.value_or(1);
}

}  // namespace lamina
