// Blocks of branches, against every way to choose them, and branches run one by one against the whole.
#include "slice/branches.h"

#include "base/error.h"
#include "base/file.h"
#include "slice/artifact.h"
#include "support/mutate.h"
#include "support/random_graph.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// Layers of one product or one sum each, every one over one or two of the latest values.
Graph random_network(Random& random, std::size_t layers) {
  Graph graph("network");
  const TensorType type{DType::f32, {kBatch, kWidth}};
  std::vector<ValueId> made = {graph.add_input("x", type)};
  if (pick(random, 3) == 0) made.push_back(graph.add_input("y", type));
  std::set<ValueId> unused(made.begin(), made.end());
  const auto any = [&] {
    const ValueId value = made[made.size() - 1 - pick(random, std::min<std::size_t>(made.size(), 4))];
    unused.erase(value);
    return value;
  };
  for (std::size_t i = 0; i < layers; ++i) {
    graph.begin_layer("layer" + std::to_string(i), "Test");
    if (pick(random, 3) > 0) {
      const ValueId kernel =
          graph.add_weight("kernel" + std::to_string(i),
                           Tensor(TensorType{DType::f32, {kWidth, kWidth}},
                                  Buffer::copy(std::vector<std::byte>(4 * kWidth * kWidth))),
                           Weight::Role::trainable);
      made.push_back(graph.add("matmul", {any(), kernel}));
    } else {
      made.push_back(graph.add("add", {any(), any()}));
    }
    unused.insert(made.back());
  }
  unused.insert(made.back());
  int number = 0;
  for (const ValueId value : unused) {
    if (graph.values()[value].kind == Value::Kind::node)
      graph.add_output("out" + std::to_string(number++), value);
  }
  return graph;
}

// FLOPs not waited for where the groups of layers [begin, end) run at once; 0 where there is no block.
double worth_of(const Graph& graph, const std::vector<Cut>& cuts, std::size_t begin, std::size_t end) {
  const std::vector<bool> heavy = heavy_layers(graph, cuts);
  // Which layers reach each other over results made within, either way.
  std::map<LayerId, std::set<LayerId>> beside;
  std::set<LayerId> fed;
  std::map<LayerId, double> flops;
  for (const Node& node : graph.nodes()) {
    if (node.layer < begin || node.layer >= end) continue;
    beside[node.layer];
    flops[node.layer] += node_flops(graph, node, 1);
    for (const ValueId input : node.inputs) {
      const Value& value = graph.values()[input];
      if (value.kind == Value::Kind::weight) continue;
      const LayerId from = value.kind == Value::Kind::node ? graph.nodes()[value.source].layer : 0;
      if (value.kind == Value::Kind::input || from < begin) {
        fed.insert(node.layer);
      } else {
        beside[node.layer].insert(from);
        beside[from].insert(node.layer);
      }
    }
  }
  std::set<LayerId> seen;
  std::vector<double> groups;
  for (const auto& [start, ignored] : beside) {
    double sum = 0;
    bool counts = false;
    bool comes_in = false;
    const std::function<void(LayerId)> visit = [&](LayerId layer) {
      if (!seen.insert(layer).second) return;
      sum += flops[layer];
      counts |= heavy[layer];
      comes_in |= fed.contains(layer);
      for (const LayerId next : beside[layer]) visit(next);
    };
    visit(start);
    if (counts && comes_in) groups.push_back(sum);
  }
  if (groups.size() < 2) return 0;
  double all = 0;
  for (const double group : groups) all += group;
  return all - *std::max_element(groups.begin(), groups.end());
}

bool ends_well(const Graph& graph, std::size_t begin, std::size_t end, std::size_t last) {
  return end < last || std::all_of(graph.outputs().begin(), graph.outputs().end(), [&](const Port& output) {
           const Value& value = graph.values()[output.value];
           return value.kind == Value::Kind::node && graph.nodes()[value.source].layer >= begin;
         });
}

double best_worth(const Graph& graph, const std::vector<Cut>& cuts, std::size_t from) {
  const std::size_t last = cuts.size() - 1;
  double best = 0;
  for (std::size_t begin = from; begin < last; ++begin) {
    for (std::size_t end = begin + 1; end <= last; ++end) {
      const double worth = worth_of(graph, cuts, begin, end);
      if (worth > 0 && ends_well(graph, begin, end, last))
        best = std::max(best, worth + best_worth(graph, cuts, end + 1));
    }
  }
  return best;
}

TEST(BranchBlocks, SaveAsMuchAsAnyChoice) {
  Random random(5);
  int with_blocks = 0;
  for (int round = 0; round < 300; ++round) {
    const Graph graph = random_network(random, 3 + pick(random, 7));
    const std::vector<Cut> cuts = find_cuts(graph);
    const std::vector<BranchBlock> blocks = find_blocks(graph, cuts);
    double worth = 0;
    std::size_t reached = 0;
    for (const BranchBlock& block : blocks) {
      EXPECT_TRUE(&block == &blocks.front() || block.begin > reached);
      reached = block.end;
      EXPECT_NO_THROW(check_block(graph, cuts, block)) << dump(graph);
      worth += worth_of(graph, cuts, block.begin, block.end);
    }
    EXPECT_EQ(worth, best_worth(graph, cuts, 0)) << dump(graph);
    with_blocks += blocks.empty() ? 0 : 1;
  }
  EXPECT_GT(with_blocks, 100);
}

TEST(BranchBlocks, WhatIsNoneIsRefused) {
  Random random(6);
  int tried = 0;
  for (int round = 0; round < 100; ++round) {
    const Graph graph = random_network(random, 8);
    const std::vector<Cut> cuts = find_cuts(graph);
    for (const BranchBlock& block : find_blocks(graph, cuts)) {
      BranchBlock wrong = block;
      wrong.branches.pop_back();
      EXPECT_THROW(check_block(graph, cuts, wrong), Error);
      wrong = block;
      wrong.branches[0].push_back(wrong.branches[1].back());
      EXPECT_THROW(check_block(graph, cuts, wrong), Error);
      wrong = block;
      wrong.end = cuts.size();
      EXPECT_THROW(check_block(graph, cuts, wrong), Error);
      ++tried;
    }
  }
  EXPECT_GT(tried, 10);
  Graph graph("chain");
  ValueId value = graph.add_input("x", {DType::f32, {kBatch, kWidth}});
  for (const char* name : {"first", "second"}) {
    graph.begin_layer(name, "Test");
    value = graph.add("relu", {value});
  }
  graph.add_output("y", value);
  EXPECT_THROW(check_block(graph, find_cuts(graph), {0, 2, {{0}, {1}}}), Error);
}

TEST(BranchBlocks, AreKeptWithTheModel) {
  Random random(7);
  const TemporaryDirectory directory;
  int kept = 0;
  for (int round = 0; round < 30; ++round) {
    const SlicedModel model = slice_model(random_network(random, 9));
    save_sliced_model(directory.path() / "model", model);
    const SlicedModel loaded = load_sliced_model(directory.path() / "model");
    ASSERT_EQ(loaded.blocks.size(), model.blocks.size());
    for (std::size_t i = 0; i < model.blocks.size(); ++i) {
      EXPECT_EQ(loaded.blocks[i].begin, model.blocks[i].begin);
      EXPECT_EQ(loaded.blocks[i].end, model.blocks[i].end);
      EXPECT_EQ(loaded.blocks[i].branches, model.blocks[i].branches);
      ++kept;
    }
  }
  EXPECT_GT(kept, 10);
}

}  // namespace
}  // namespace lamina
