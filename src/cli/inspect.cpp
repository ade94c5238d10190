// lamina inspect: layers, shapes, parameters, FLOPs, memory, and every legal cut with its bytes.
#include "base/json.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/model_argument.h"
#include "graph/liveness.h"
#include "slice/cuts.h"

#include <cstdio>
#include <memory>
#include <set>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {

struct LayerFigures {
  std::int64_t parameters = 0;
  double flops = 0;
  std::string output;
};

// A weight counts where it is used first, constants of the code not at all.
std::vector<LayerFigures> measure_layers(const Graph& graph) {
  std::vector<LayerFigures> layers(graph.layers().size());
  std::set<ValueId> counted;
  for (const Node& node : graph.nodes()) {
    LayerFigures& layer = layers[node.layer];
    layer.flops += node_flops(graph, node, 1);
    layer.output = to_string(graph.type(node.outputs.back()).shape);
    for (const ValueId input : node.inputs) {
      const Value& value = graph.values()[input];
      if (value.kind != Value::Kind::weight || !counted.insert(input).second) continue;
      const Weight& weight = graph.weights()[value.source];
      if (weight.role != Weight::Role::constant) layer.parameters += weight.data.elements();
    }
  }
  return layers;
}

std::uint64_t weight_bytes(const Graph& graph) {
  std::uint64_t bytes = 0;
  for (const Weight& weight : graph.weights()) bytes += weight.data.data().size();
  return bytes;
}

struct Totals {
  std::int64_t parameters = 0;
  double flops = 0;
};

Totals sum(const std::vector<LayerFigures>& layers) {
  Totals totals;
  for (const LayerFigures& layer : layers) {
    totals.parameters += layer.parameters;
    totals.flops += layer.flops;
  }
  return totals;
}

// Cuts but the first and the last, which a graph without layers does not have apart.
std::size_t inner(std::size_t cuts) { return cuts > 2 ? cuts - 2 : 0; }

void print_text(const Graph& graph) {
  const std::vector<LayerFigures> layers = measure_layers(graph);
  const std::vector<Cut> cuts = find_cuts(graph);
  const std::vector<std::size_t> useful_positions = useful_cuts(graph, cuts);
  const std::set<std::size_t> useful(useful_positions.begin(), useful_positions.end());

  std::vector<std::vector<std::string>> rows = {
      {"#", "layer", "class", "output", "parameters", "FLOPs", "cut after it", "tensors", ""}};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Cut& cut = cuts[i + 1];
    rows.push_back({std::to_string(i + 1), graph.layers()[i].name, graph.layers()[i].class_name,
                    layers[i].output, std::to_string(layers[i].parameters), format_count(layers[i].flops),
                    format_bytes(cut.bytes_per_item), std::to_string(cut.crossing.size()),
                    useful.contains(i + 1) ? "*" : ""});
  }
  std::printf("%s: %zu layers\n", graph.name().c_str(), graph.layers().size());
  for (const Port& port : graph.inputs()) {
    std::printf("input  %s  %s\n", port.name.c_str(), to_string(graph.type(port.value)).c_str());
  }
  for (const Port& port : graph.outputs()) {
    std::printf("output %s  %s\n", port.name.c_str(), to_string(graph.type(port.value)).c_str());
  }
  std::printf("\n%s\n", format_table(rows).c_str());
  const Totals totals = sum(layers);
  std::printf("parameters   %ld (%s)\n", static_cast<long>(totals.parameters),
              format_bytes(weight_bytes(graph)).c_str());
  std::printf("FLOPs        %s for a batch of one\n", format_count(totals.flops).c_str());
  std::printf("activations  %s at most at once, for a batch of one\n",
              format_bytes(peak_activation_bytes(graph, 1)).c_str());
  std::printf(
      "cuts         %zu legal, each with the bytes of a batch of one; * marks the %zu worth measuring\n",
      inner(cuts.size()), inner(useful.size()));
}

void print_json(const Graph& graph) {
  const std::vector<LayerFigures> layers = measure_layers(graph);
  const std::vector<Cut> cuts = find_cuts(graph);
  Json out = {{"name", graph.name()}, {"layers", Json::array()}, {"cuts", Json::array()}};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    out["layers"].push_back({{"name", graph.layers()[i].name},
                             {"class", graph.layers()[i].class_name},
                             {"output", layers[i].output},
                             {"parameters", layers[i].parameters},
                             {"flops", layers[i].flops}});
  }
  for (const Cut& cut : cuts) {
    out["cuts"].push_back(
        {{"position", cut.position}, {"bytes", cut.bytes_per_item}, {"tensors", cut.crossing.size()}});
  }
  const auto ports = [&](const std::vector<Port>& list) {
    Json array = Json::array();
    for (const Port& port : list) {
      array.push_back({{"name", port.name},
                       {"dtype", to_string(graph.type(port.value).dtype)},
                       {"shape", graph.type(port.value).shape}});
    }
    return array;
  };
  const Totals totals = sum(layers);
  out["inputs"] = ports(graph.inputs());
  out["outputs"] = ports(graph.outputs());
  out["parameters"] = totals.parameters;
  out["flops"] = totals.flops;
  out["weight_bytes"] = weight_bytes(graph);
  out["activation_bytes"] = peak_activation_bytes(graph, 1);
  out["useful_cuts"] = useful_cuts(graph, cuts);
  std::printf("%s\n", out.dump(2).c_str());
}

}  // namespace

void add_inspect(CLI::App& app) {
  struct Options {
    ModelArgument model;
    bool json = false;
    bool ops = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("inspect", "Show layers, shapes, parameters, FLOPs, memory and every legal cut");
  options->model.add_to(*command);
  command->add_flag("--json", options->json, "print JSON instead of tables");
  command->add_flag("--ops", options->ops, "print the graph of primitive ops instead");
  command->callback([options] {
    const Graph graph = options->model.load();
    if (options->ops) {
      std::printf("%s", dump(graph).c_str());
    } else if (options->json) {
      print_json(graph);
    } else {
      print_text(graph);
    }
  });
}

}  // namespace lamina::cli
