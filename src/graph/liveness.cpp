#include "graph/liveness.h"

#include <algorithm>
#include <vector>

namespace lamina {

ValueId origin_of(const Graph& graph, ValueId value) {
  while (graph.values()[value].kind == Value::Kind::node) {
    const Node& node = graph.nodes()[graph.values()[value].source];
    if (node.op->name != "identity" && node.op->name != "dropout") break;
    value = node.inputs[0];
  }
  return value;
}

namespace {

// The value whose bytes a value shares: itself, or the input of a reshape, an identity or a dropout.
std::vector<ValueId> find_storage(const Graph& graph) {
  std::vector<ValueId> storage(graph.values().size());
  for (ValueId value = 0; value < storage.size(); ++value) {
    storage[value] = value;
    const Value& known = graph.values()[value];
    if (known.kind != Value::Kind::node) continue;
    const Node& node = graph.nodes()[known.source];
    const bool in_place =
        node.op->name == "reshape" || node.op->name == "identity" || node.op->name == "dropout";
    if (in_place) storage[value] = storage[node.inputs[0]];
  }
  return storage;
}

}  // namespace

std::uint64_t peak_activation_bytes(const Graph& graph, std::int64_t batch) {
  const std::size_t end = graph.nodes().size();
  const std::vector<ValueId> storage = find_storage(graph);
  std::vector<std::size_t> last_use(graph.values().size(), 0);
  for (NodeId node = 0; node < end; ++node) {
    for (const ValueId input : graph.nodes()[node].inputs) last_use[storage[input]] = node;
  }
  for (const Port& output : graph.outputs()) last_use[storage[output.value]] = end;

  const auto bytes_of = [&](ValueId value) -> std::uint64_t {
    const bool counts = storage[value] == value && graph.values()[value].kind != Value::Kind::weight;
    return counts ? byte_size(graph.type(value), batch) : 0;
  };
  std::uint64_t alive = 0;
  for (const Port& input : graph.inputs()) alive += bytes_of(input.value);
  std::uint64_t peak = alive;
  for (NodeId id = 0; id < end; ++id) {
    const Node& node = graph.nodes()[id];
    for (const ValueId output : node.outputs) alive += bytes_of(output);
    peak = std::max(peak, alive);
    std::vector<ValueId> freed = node.outputs;
    freed.insert(freed.end(), node.inputs.begin(), node.inputs.end());
    for (ValueId& value : freed) value = storage[value];
    std::sort(freed.begin(), freed.end());
    freed.erase(std::unique(freed.begin(), freed.end()), freed.end());
    for (const ValueId value : freed) {
      if (last_use[value] <= id && graph.values()[value].kind == Value::Kind::node) alive -= bytes_of(value);
    }
  }
  return peak;
}

}  // namespace lamina
