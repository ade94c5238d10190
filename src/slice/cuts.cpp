#include "slice/cuts.h"

#include "base/error.h"
#include "slice/branches.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace lamina {

namespace {

// The layer in which a value is made, counted from 1; 0 for inputs of the graph.
std::size_t made_in(const Graph& graph, ValueId value) {
  const Value& known = graph.values()[value];
  return known.kind == Value::Kind::node ? graph.nodes()[known.source].layer + 1 : 0;
}

// For each value the last layer that uses it, counted from 1; one past all layers for outputs of the graph, 0
// if unused.
std::vector<std::size_t> last_uses(const Graph& graph) {
  std::vector<std::size_t> last(graph.values().size(), 0);
  for (const Node& node : graph.nodes()) {
    for (const ValueId input : node.inputs) last[input] = std::max<std::size_t>(last[input], node.layer + 1);
  }
  for (const Port& output : graph.outputs()) last[output.value] = graph.layers().size() + 1;
  return last;
}

// The ops that work over windows, rows and columns.
const std::set<std::string_view>& heavy_ops() {
  static const std::set<std::string_view> heavy = {"conv",     "conv_transpose", "matmul",
                                                   "max_pool", "average_pool",   "resize"};
  return heavy;
}

// An op that computes more than this for each element it reads or writes is no longer bound by memory.
constexpr double kLightFlopsPerElement = 32;
// A layer that computes less than this for each byte crossing before it is lost beside moving them, a
// convolution over one pixel included.
constexpr double kLostFlopsPerByte = 0.125;
// Weights smaller than this change neither a plan nor what a machine can hold.
constexpr std::uint64_t kLightWeightBytes = 1U << 20U;

bool is_heavy(const Graph& graph, const Node& node) {
  if (heavy_ops().contains(node.op->name)) return true;
  double elements = 0;
  const auto count = [&](const std::vector<ValueId>& values) {
    for (const ValueId value : values) {
      if (graph.values()[value].kind == Value::Kind::weight) continue;
      elements += static_cast<double>(element_count(at_batch(graph.type(value).shape, 1)));
    }
  };
  count(node.inputs);
  count(node.outputs);
  return node_flops(graph, node, 1) > kLightFlopsPerElement * elements;
}

}  // namespace

std::vector<bool> heavy_layers(const Graph& graph, const std::vector<Cut>& cuts) {
  std::vector<bool> heavy(graph.layers().size(), false);
  std::vector<double> heavy_flops(graph.layers().size(), 0);
  std::vector<std::uint64_t> weight_bytes(graph.layers().size(), 0);
  for (const Node& node : graph.nodes()) {
    if (is_heavy(graph, node)) heavy_flops[node.layer] += node_flops(graph, node, 1);
    for (const ValueId input : node.inputs) {
      const Value& value = graph.values()[input];
      if (value.kind == Value::Kind::weight)
        weight_bytes[node.layer] += graph.weights()[value.source].data.data().size();
    }
  }
  for (std::size_t layer = 0; layer < heavy.size(); ++layer) {
    const std::uint64_t crossing = cuts[layer].bytes_per_item;
    // Where large weights lie matters to a machine short of memory.
    heavy[layer] = heavy_flops[layer] > kLostFlopsPerByte * static_cast<double>(crossing) ||
                   weight_bytes[layer] > std::max(kLightWeightBytes, crossing);
  }
  return heavy;
}

std::vector<Cut> find_cuts(const Graph& graph) {
  const std::vector<std::size_t> last = last_uses(graph);
  const std::size_t layers = graph.layers().size();
  std::vector<Cut> cuts(layers + 1);
  for (std::size_t position = 0; position <= layers; ++position) cuts[position].position = position;
  for (ValueId value = 0; value < graph.values().size(); ++value) {
    if (graph.values()[value].kind == Value::Kind::weight) continue;
    const std::uint64_t bytes = byte_size(graph.type(value), 1);
    // Made before the cut and used after it: layer numbers made ≤ position < last.
    for (std::size_t position = made_in(graph, value); position < last[value] && position <= layers;
         ++position) {
      cuts[position].crossing.push_back(value);
      cuts[position].bytes_per_item += bytes;
    }
  }
  // Where all that follows comes from weights alone, an input still crosses: a stage runs when something
  // arrives.
  for (Cut& cut : cuts) {
    if (!cut.crossing.empty() || graph.inputs().empty()) continue;
    cut.crossing.push_back(graph.inputs().front().value);
    cut.bytes_per_item = byte_size(graph.type(cut.crossing.front()), 1);
  }
  // At the ends stand exactly the ports of the graph, in their order, used or not.
  const auto ports_only = [&](Cut& cut, const std::vector<Port>& ports) {
    cut.crossing.clear();
    cut.bytes_per_item = 0;
    for (const Port& port : ports) {
      if (std::find(cut.crossing.begin(), cut.crossing.end(), port.value) != cut.crossing.end()) continue;
      if (graph.values()[port.value].kind == Value::Kind::weight) continue;
      cut.crossing.push_back(port.value);
      cut.bytes_per_item += byte_size(graph.type(port.value), 1);
    }
  };
  ports_only(cuts.front(), graph.inputs());
  ports_only(cuts.back(), graph.outputs());
  return cuts;
}

std::vector<std::size_t> useful_cuts(const Graph& graph, const std::vector<Cut>& cuts) {
  const std::vector<bool> heavy = heavy_layers(graph, cuts);
  const std::size_t last = cuts.size() - 1;
  const auto bytes = [&](std::size_t position) { return cuts[position].bytes_per_item; };
  std::vector<std::size_t> positions = {0};
  // Beside an end of the graph, which is always kept, a cut must save bytes.
  const auto keep = [&](std::size_t position, bool begins_graph, bool ends_graph) {
    if (position == 0 || position == last) return;
    if (begins_graph && bytes(position) >= bytes(0)) return;
    if (ends_graph && bytes(position) >= bytes(last)) return;
    positions.push_back(position);
  };
  std::size_t best = 0;
  bool begins_graph = true;
  for (std::size_t position = 1; position <= last; ++position) {
    if (heavy[position - 1]) {
      keep(best, begins_graph, false);
      best = position;
      begins_graph = false;
    } else if (bytes(position) <= bytes(best)) {
      best = position;
    }
  }
  keep(best, begins_graph, true);
  if (last > 0) positions.push_back(last);
  return positions;
}

namespace {

// The names under which values pass between stages: the graph's own names for its inputs; for the rest the
// layer that makes it and which of its values it is, "conv1:0".
class PortNames {
 public:
  explicit PortNames(const Graph& graph) : names_(graph.values().size()) {
    std::set<std::string_view> taken;
    for (const Port& input : graph.inputs()) {
      names_[input.value] = input.name;
      taken.insert(input.name);
    }
    std::vector<std::size_t> made(graph.layers().size(), 0);
    for (const Node& node : graph.nodes()) {
      for (const ValueId output : node.outputs) {
        std::string name = fmt::format("{}:{}", graph.layers()[node.layer].name, made[node.layer]++);
        while (taken.contains(name)) name += '\'';
        names_[output] = std::move(name);
      }
    }
  }

  const std::string& of(ValueId value) const { return names_[value]; }

 private:
  std::vector<std::string> names_;
};

class StageBuilder {
 public:
  StageBuilder(const Graph& graph, std::string name) : graph_(graph), stage_(std::move(name)) {}

  void add_input(const std::string& name, ValueId value) {
    known_[value] = stage_.add_input(name, graph_.type(value));
  }

  // Of [begin, end); of those in `only` where it is not empty.
  void add_layers(std::size_t begin, std::size_t end, const std::vector<LayerId>& only) {
    std::size_t current = graph_.layers().size();
    for (const Node& node : graph_.nodes()) {
      if (node.layer < begin || node.layer >= end) continue;
      if (!only.empty() && !std::binary_search(only.begin(), only.end(), node.layer)) continue;
      if (node.layer != current) {
        current = node.layer;
        stage_.begin_layer(graph_.layers()[current].name, graph_.layers()[current].class_name);
      }
      std::vector<ValueId> inputs;
      for (const ValueId input : node.inputs) inputs.push_back(translate(input));
      const std::vector<ValueId> outputs = stage_.add_node(node.op->name, std::move(inputs), node.attributes);
      for (std::size_t i = 0; i < outputs.size(); ++i) known_[node.outputs[i]] = outputs[i];
    }
  }

  void add_output(const std::string& name, ValueId value) { stage_.add_output(name, translate(value)); }

  Graph take() { return std::move(stage_); }

 private:
  // Weights come along when first used.
  ValueId translate(ValueId value) {
    const auto found = known_.find(value);
    if (found != known_.end()) return found->second;
    const Value& source = graph_.values()[value];
    if (source.kind != Value::Kind::weight) {
      fail(ErrorCode::internal, "stage '{}' uses value {}, which does not cross into it", stage_.name(),
           value);
    }
    const Weight& weight = graph_.weights()[source.source];
    return known_[value] = stage_.add_weight(weight.name, weight.data, weight.role);
  }

  const Graph& graph_;
  Graph stage_;
  std::map<ValueId, ValueId> known_;
};

}  // namespace

Graph extract_stage(const Graph& graph, const std::vector<Cut>& cuts, std::size_t begin, std::size_t end,
                    const std::vector<LayerId>& layers) {
  if (begin >= end || end >= cuts.size()) {
    fail(ErrorCode::invalid_argument,
         "a stage of '{}' from cut {} to {}, expected two cuts in order up to {}", graph.name(), begin, end,
         cuts.size() - 1);
  }
  std::string name = fmt::format("{}[{}:{}]", graph.name(), begin, end);
  if (!layers.empty()) name += " from " + graph.layers()[layers.front()].name;
  StageBuilder builder(graph, std::move(name));
  const PortNames names(graph);
  const StageEnds ends = ends_of_stage(graph, cuts, begin, end, layers);
  for (const ValueId value : ends.inputs) builder.add_input(names.of(value), value);
  builder.add_layers(begin, end, layers);
  if (end + 1 == cuts.size()) {
    for (const Port& output : graph.outputs()) {
      if (std::find(ends.outputs.begin(), ends.outputs.end(), output.value) != ends.outputs.end())
        builder.add_output(output.name, output.value);
    }
  } else {
    for (const ValueId value : ends.outputs) builder.add_output(names.of(value), value);
  }
  return builder.take();
}

}  // namespace lamina
