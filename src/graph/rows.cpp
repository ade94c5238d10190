#include "graph/rows.h"

#include "base/error.h"

#include <algorithm>
#include <cstdint>
#include <variant>

namespace lamina {

namespace {

// All of a row's elements lie together, and rows in their order.
bool rows_lie_apart(const Shape& shape) {
  return !shape.empty() && shape.front() < 0 && !is_symbolic({shape.begin() + 1, shape.end()});
}

bool is_first(std::int64_t axis, std::size_t rank) {
  return axis == 0 || axis == -static_cast<std::int64_t>(rank);
}

// Whether the op does anything along the first axis that the shape of its output does not show.
bool works_along_first(const Node& node, std::size_t rank) {
  if (node.op->name == "transpose") return false;  // its axes are an order
  const Attribute* axis = node.attributes.find("axis");
  const Attribute* axes = node.attributes.find("axes");
  if (axis != nullptr && is_first(std::get<std::int64_t>(*axis), rank)) return true;
  if (axes == nullptr) return false;
  const auto& several = std::get<std::vector<std::int64_t>>(*axes);
  return std::ranges::any_of(several, [rank](std::int64_t one) { return is_first(one, rank); });
}

// Whether inputs beside the first are parameters, which all rows share.
bool takes_parameters(const Node& node) {
  const auto& name = node.op->name;
  return name == "conv" || name == "conv_transpose" || name == "batch_normalization" ||
         name == "layer_normalization";
}

}  // namespace

void check_rows_apart(const Graph& graph) {
  std::vector<bool> of_rows(graph.values().size());  // values that depend on the inputs
  const auto is_of_rows = [&](ValueId value) { return of_rows[value]; };
  for (const Port& input : graph.inputs()) {
    if (!rows_lie_apart(graph.type(input.value).shape)) {
      fail(ErrorCode::unsupported,
           "rows of a batch may meet: input '{}' is {}, expected the batch on its first axis", input.name,
           to_string(graph.type(input.value)));
    }
    of_rows[input.value] = true;
  }
  for (const Node& node : graph.nodes()) {
    if (std::ranges::none_of(node.inputs, is_of_rows)) continue;
    bool apart = !works_along_first(node, graph.type(node.inputs.front()).shape.size());
    if (takes_parameters(node))
      apart = apart && std::none_of(node.inputs.begin() + 1, node.inputs.end(), is_of_rows);
    for (const ValueId output : node.outputs) {
      apart = apart && rows_lie_apart(graph.type(output).shape);
      of_rows[output] = true;
    }
    if (!apart) {
      fail(ErrorCode::unsupported, "rows of a batch may meet in layer '{}': '{}' makes {} of {}",
           graph.layers().at(node.layer).name, node.op->name, to_string(graph.type(node.outputs.front())),
           to_string(graph.type(node.inputs.front())));
    }
  }
}

}  // namespace lamina
