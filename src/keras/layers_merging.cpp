// Layers that join several tensors.
#include "base/error.h"
#include "keras/layer.h"

#include <algorithm>

namespace lamina {

namespace {

// An input of fewer axes gets new ones behind its batch axis (keras.src.layers.merging.base_merge).
ValueId with_rank(LayerCall& call, ValueId x, std::size_t rank) {
  Shape shape = call.shape(x);
  if (shape.size() == rank || shape.empty()) return x;
  shape.insert(shape.begin() + 1, rank - shape.size(), 1);
  return call.reshape(x, shape);
}

ValueId fold(LayerCall& call, std::string_view op) {
  if (call.inputs().size() < 2) call.unsupported(fmt::format("a call on {} tensors", call.inputs().size()));
  std::size_t rank = 0;
  for (const ValueId input : call.inputs()) rank = std::max(rank, call.rank(input));
  ValueId result = with_rank(call, call.inputs()[0], rank);
  for (std::size_t i = 1; i < call.inputs().size(); ++i) {
    result = call.add(op, {result, with_rank(call, call.inputs()[i], rank)});
  }
  return result;
}

std::vector<ValueId> lower_add(LayerCall& call) { return {fold(call, "add")}; }
std::vector<ValueId> lower_multiply(LayerCall& call) { return {fold(call, "multiply")}; }
std::vector<ValueId> lower_maximum(LayerCall& call) { return {fold(call, "maximum")}; }
std::vector<ValueId> lower_minimum(LayerCall& call) { return {fold(call, "minimum")}; }

std::vector<ValueId> lower_subtract(LayerCall& call) {
  if (call.inputs().size() != 2) call.unsupported(fmt::format("a call on {} tensors", call.inputs().size()));
  return {fold(call, "subtract")};
}

std::vector<ValueId> lower_average(LayerCall& call) {
  const double count = static_cast<double>(call.inputs().size());
  return {call.add("multiply", {fold(call, "add"), call.scalar("share", 1 / count)})};
}

std::vector<ValueId> lower_concatenate(LayerCall& call) {
  if (call.inputs().empty()) call.unsupported("a call on no tensors");
  return {call.add("concatenate", call.inputs(), {{"axis", call.integer("axis", -1)}})};
}

}  // namespace

const std::vector<LayerEntry>& merging_layers() {
  static const std::vector<LayerEntry> kLayers = {{"Add", lower_add},
                                                  {"Subtract", lower_subtract},
                                                  {"Multiply", lower_multiply},
                                                  {"Average", lower_average},
                                                  {"Maximum", lower_maximum},
                                                  {"Minimum", lower_minimum},
                                                  {"Concatenate", lower_concatenate}};
  return kLayers;
}

}  // namespace lamina
