#include "slice/cuts.h"

#include "base/error.h"

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

// Ops that cost no more than moving their results through memory, which engines fuse with what comes before.
bool is_light(const Node& node) {
  static const std::set<std::string_view> kHeavy = {"conv",     "conv_transpose", "matmul",
                                                    "max_pool", "average_pool",   "resize"};
  return !kHeavy.contains(node.op->name);
}

}  // namespace

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
  // Whether each layer does heavy work, and whether it does any.
  std::vector<bool> heavy(graph.layers().size(), false);
  for (const Node& node : graph.nodes()) {
    if (!is_light(node)) heavy[node.layer] = true;
  }
  std::vector<std::size_t> positions = {0};
  for (std::size_t position = 1; position + 1 < cuts.size(); ++position) {
    // The layer after the cut moves to this side for nothing, and no more crosses after it than before.
    const bool next_is_free =
        !heavy[position] && cuts[position + 1].bytes_per_item <= cuts[position].bytes_per_item;
    if (!next_is_free) positions.push_back(position);
  }
  // Layers before the first heavy one are not worth a piece of their own.
  const auto first_heavy =
      static_cast<std::size_t>(std::find(heavy.begin(), heavy.end(), true) - heavy.begin());
  std::erase_if(positions, [&](std::size_t position) { return position != 0 && position <= first_heavy; });
  if (cuts.size() > 1) positions.push_back(cuts.size() - 1);
  return positions;
}

namespace {

// The name under which a value passes between stages: the graph's own name for its ports, else the layer that
// makes it.
class PortNames {
 public:
  explicit PortNames(const Graph& graph) : graph_(graph) {}

  std::string of(ValueId value) const {
    const Value& known = graph_.values()[value];
    if (known.kind == Value::Kind::input) return graph_.inputs()[known.source].name;
    const Node& node = graph_.nodes()[known.source];
    // Several values of one layer may cross: each has its number, so the names differ.
    return fmt::format("{}:{}", graph_.layers()[node.layer].name, value);
  }

 private:
  const Graph& graph_;
};

class StageBuilder {
 public:
  StageBuilder(const Graph& graph, std::string name) : graph_(graph), stage_(std::move(name)) {}

  void add_input(ValueId value) {
    known_[value] = stage_.add_input(PortNames(graph_).of(value), graph_.type(value));
  }

  void add_layers(std::size_t begin, std::size_t end) {
    std::size_t current = graph_.layers().size();
    for (const Node& node : graph_.nodes()) {
      if (node.layer < begin || node.layer >= end) continue;
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

Graph extract_stage(const Graph& graph, const std::vector<Cut>& cuts, std::size_t begin, std::size_t end) {
  if (begin >= end || end >= cuts.size()) {
    fail(ErrorCode::invalid_argument,
         "a stage of '{}' from cut {} to {}, expected two cuts in order up to {}", graph.name(), begin, end,
         cuts.size() - 1);
  }
  StageBuilder builder(graph, fmt::format("{}[{}:{}]", graph.name(), begin, end));
  for (const ValueId value : cuts[begin].crossing) builder.add_input(value);
  builder.add_layers(begin, end);
  if (end + 1 == cuts.size()) {
    for (const Port& output : graph.outputs()) builder.add_output(output.name, output.value);
  } else {
    const PortNames names(graph);
    for (const ValueId value : cuts[end].crossing) builder.add_output(names.of(value), value);
  }
  return builder.take();
}

}  // namespace lamina
