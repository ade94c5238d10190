// Layers that join several tensors.
#include "base/error.h"
#include "keras/layer.h"

namespace lamina {

namespace {

ValueId fold(LayerCall& call, std::string_view op) {
  if (call.inputs().size() < 2) call.unsupported(fmt::format("a call on {} tensors", call.inputs().size()));
  ValueId result = call.inputs()[0];
  for (std::size_t i = 1; i < call.inputs().size(); ++i) result = call.add(op, {result, call.inputs()[i]});
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
