#include "slice/branches.h"

#include "base/error.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <utility>

namespace lamina {

namespace {

constexpr std::size_t kMostBranches = 6;
// Bounds the time it takes to look for blocks.
constexpr std::size_t kMostLayers = 2048;

// What the search needs to know of each layer.
struct LayerFacts {
  double flops = 0;
  bool heavy = false;
  bool from_input = false;    // uses an input of the graph
  std::vector<LayerId> uses;  // layers whose results it uses, itself left out
};

std::vector<LayerFacts> facts_of(const Graph& graph, const std::vector<Cut>& cuts) {
  std::vector<LayerFacts> facts(graph.layers().size());
  const std::vector<bool> heavy = heavy_layers(graph, cuts);
  for (std::size_t layer = 0; layer < facts.size(); ++layer) facts[layer].heavy = heavy[layer];
  for (const Node& node : graph.nodes()) {
    LayerFacts& layer = facts[node.layer];
    layer.flops += node_flops(graph, node, 1);
    for (const ValueId input : node.inputs) {
      const Value& value = graph.values()[input];
      if (value.kind == Value::Kind::input) layer.from_input = true;
      if (value.kind != Value::Kind::node) continue;
      const LayerId made_in = graph.nodes()[value.source].layer;
      if (made_in != node.layer) layer.uses.push_back(made_in);
    }
  }
  return facts;
}

// Layers from `begin` on as they come, joined where one uses another.
class Groups {
 public:
  Groups(const std::vector<LayerFacts>& facts, std::size_t begin) : facts_(facts), begin_(begin) {}

  void add(std::size_t layer) {
    const LayerFacts& facts = facts_[layer];
    group_.push_back({layer - begin_, facts.flops, facts.heavy, facts.from_input});
    if (counts(group_.back())) include(group_.back());
    for (const LayerId used : facts.uses) {
      if (used < begin_) {
        Group& own = group_[find(layer - begin_)];
        change(own, [&] { own.fed = true; });
      } else {
        join(find(layer - begin_), find(used - begin_));
      }
    }
  }

  // FLOPs that are not waited for where the groups run at once.
  double gain() const { return counting_ > 1 ? flops_ - longest_ : 0; }

  std::size_t find(std::size_t member) {
    while (group_[member].leader != member) {
      group_[member].leader = group_[group_[member].leader].leader;
      member = group_[member].leader;
    }
    return member;
  }
  bool counts(std::size_t leader) const { return counts(group_[leader]); }
  double flops(std::size_t leader) const { return group_[leader].flops; }

 private:
  struct Group {
    std::size_t leader = 0;
    double flops = 0;
    bool heavy = false;
    bool fed = false;  // something comes in from before
  };
  static bool counts(const Group& group) { return group.heavy && group.fed; }
  void include(const Group& group) {
    ++counting_;
    flops_ += group.flops;
    longest_ = std::max(longest_, group.flops);  // groups only grow
  }
  template <typename Change>
  void change(Group& group, Change change) {
    if (counts(group)) {
      --counting_;
      flops_ -= group.flops;
    }
    change();
    if (counts(group)) include(group);
  }
  void join(std::size_t a, std::size_t b) {
    if (a == b) return;
    Group& kept = group_[std::min(a, b)];
    Group& gone = group_[std::max(a, b)];
    if (counts(gone)) {
      --counting_;
      flops_ -= gone.flops;
    }
    change(kept, [&] {
      kept.flops += gone.flops;
      kept.heavy |= gone.heavy;
      kept.fed |= gone.fed;
    });
    gone.leader = kept.leader;
  }

  const std::vector<LayerFacts>& facts_;
  std::size_t begin_;
  std::vector<Group> group_;  // by layer
  std::size_t counting_ = 0;
  double flops_ = 0;
  double longest_ = 0;
};

// What the blocks up to a position are worth.
struct Worth {
  double gain = 0;
  std::size_t layers = 0;
  std::size_t begin = 0;  // of the last block, which ends at this position
  bool ends_block = false;
  bool operator<(const Worth& other) const {
    return gain != other.gain ? gain < other.gain : layers < other.layers;
  }
};

bool makes_all_outputs(const Graph& graph, std::size_t begin) {
  return std::all_of(graph.outputs().begin(), graph.outputs().end(), [&](const Port& output) {
    const Value& value = graph.values()[output.value];
    return value.kind == Value::Kind::node && graph.nodes()[value.source].layer >= begin;
  });
}

// The groups of layers [begin, end) as branches.
BranchBlock block_of(const std::vector<LayerFacts>& facts, std::size_t begin, std::size_t end) {
  Groups groups(facts, begin);
  for (std::size_t layer = begin; layer < end; ++layer) groups.add(layer);
  std::map<std::size_t, std::vector<LayerId>> members;  // by leader
  for (std::size_t layer = begin; layer < end; ++layer)
    members[groups.find(layer - begin)].push_back(static_cast<LayerId>(layer));
  struct Part {
    double flops = 0;
    std::vector<LayerId> layers;
  };
  std::vector<Part> parts;
  std::vector<LayerId> rest;
  for (auto& [leader, layers] : members) {
    if (groups.counts(leader)) {
      parts.push_back({groups.flops(leader), std::move(layers)});
    } else {
      rest.insert(rest.end(), layers.begin(), layers.end());
    }
  }
  const auto heavier = [](const Part& a, const Part& b) { return a.flops > b.flops; };
  std::stable_sort(parts.begin(), parts.end(), heavier);
  const auto add_to_lightest = [&](double flops, const std::vector<LayerId>& layers) {
    parts.back().flops += flops;
    parts.back().layers.insert(parts.back().layers.end(), layers.begin(), layers.end());
    std::stable_sort(parts.begin(), parts.end(), heavier);
  };
  add_to_lightest(0, rest);
  while (parts.size() > kMostBranches) {
    const Part lightest = std::move(parts.back());
    parts.pop_back();
    add_to_lightest(lightest.flops, lightest.layers);
  }
  BranchBlock block{begin, end, {}};
  for (Part& part : parts) {
    std::sort(part.layers.begin(), part.layers.end());
    block.branches.push_back(std::move(part.layers));
  }
  std::sort(block.branches.begin(), block.branches.end());
  return block;
}

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

// By layer, its branch; nothing where the branches are not the block's layers in order.
std::vector<std::size_t> branch_of_layers(const Graph& graph, const BranchBlock& block) {
  std::vector<std::size_t> branch_of(graph.layers().size(), kNone);
  std::size_t layers = 0;
  for (std::size_t branch = 0; branch < block.branches.size(); ++branch) {
    for (std::size_t i = 0; i < block.branches[branch].size(); ++i, ++layers) {
      const LayerId layer = block.branches[branch][i];
      const bool fits = layer >= block.begin && layer < block.end && branch_of[layer] == kNone &&
                        (i == 0 || block.branches[branch][i - 1] < layer);
      if (!fits) return {};
      branch_of[layer] = branch;
    }
  }
  if (layers != block.end - block.begin) return {};
  return branch_of;
}

// Why a block is none; empty if it is one.
std::string flaw_of(const Graph& graph, const std::vector<Cut>& cuts, const BranchBlock& block) {
  if (block.begin >= block.end || block.end >= cuts.size()) return "is not between two cuts in order";
  if (block.branches.size() < 2) return "has fewer than two branches";
  const std::vector<std::size_t> branch_of = branch_of_layers(graph, block);
  if (branch_of.empty()) return "has branches that don't share its layers out in order";
  for (const Node& node : graph.nodes()) {
    if (branch_of[node.layer] == kNone) continue;
    for (const ValueId input : node.inputs) {
      const Value& value = graph.values()[input];
      if (value.kind != Value::Kind::node) continue;
      const std::size_t from = branch_of[graph.nodes()[value.source].layer];
      if (from != kNone && from != branch_of[node.layer]) return "has a way between branches";
    }
  }
  for (const auto& branch : block.branches) {
    const StageEnds ends = ends_of_stage(graph, cuts, block.begin, block.end, branch);
    if (ends.inputs.empty() || ends.outputs.empty())
      return "has a branch that nothing comes to or goes on from";
  }
  if (block.end + 1 == cuts.size() && !makes_all_outputs(graph, block.begin))
    return "ends the graph without making all its outputs";
  return "";
}

}  // namespace

std::vector<BranchBlock> find_blocks(const Graph& graph, const std::vector<Cut>& cuts) {
  const std::vector<LayerFacts> facts = facts_of(graph, cuts);
  const std::size_t count = facts.size();
  std::vector<Worth> best(count + 1);
  // Blocks that begin at `begin` come after those that ended before it, and all of those are known by then.
  for (std::size_t begin = 0; begin < count; ++begin) {
    if (begin > 0 && best[begin] < best[begin - 1]) {
      best[begin] = best[begin - 1];
      best[begin].ends_block = false;
    }
    const Worth before = begin > 0 ? best[begin - 1] : Worth{};
    Groups groups(facts, begin);
    for (std::size_t end = begin + 1; end <= std::min(count, begin + kMostLayers); ++end) {
      groups.add(end - 1);
      if (!(groups.gain() > 0) || (end == count && !makes_all_outputs(graph, begin))) continue;
      const Worth worth{before.gain + groups.gain(), before.layers + end - begin, begin, true};
      if (best[end] < worth) best[end] = worth;
    }
  }
  std::vector<BranchBlock> blocks;
  for (std::size_t at = count; at > 0;) {
    const bool carried = at > 0 && !(best[at - 1] < best[at]);
    if (!best[at].ends_block || carried) {
      --at;
      continue;
    }
    blocks.push_back(block_of(facts, best[at].begin, at));
    at = best[at].begin > 0 ? best[at].begin - 1 : 0;
  }
  // A branch whose results nobody uses is none.
  std::erase_if(blocks, [&](const BranchBlock& block) { return !flaw_of(graph, cuts, block).empty(); });
  std::reverse(blocks.begin(), blocks.end());
  return blocks;
}

void check_block(const Graph& graph, const std::vector<Cut>& cuts, const BranchBlock& block) {
  const std::string flaw = flaw_of(graph, cuts, block);
  if (!flaw.empty())
    fail(ErrorCode::invalid_argument, "the block from cut {} to {} {}", block.begin, block.end, flaw);
}

StageEnds ends_of_stage(const Graph& graph, const std::vector<Cut>& cuts, std::size_t begin, std::size_t end,
                        const std::vector<LayerId>& layers) {
  StageEnds ends;
  std::vector<ValueId> crossing = cuts[end].crossing;
  if (end + 1 == cuts.size()) {
    crossing.clear();
    for (const Port& output : graph.outputs()) crossing.push_back(output.value);
  }
  if (layers.empty()) return {cuts[begin].crossing, crossing};
  std::set<ValueId> used;
  std::set<ValueId> made;
  for (const Node& node : graph.nodes()) {
    if (!std::binary_search(layers.begin(), layers.end(), node.layer)) continue;
    used.insert(node.inputs.begin(), node.inputs.end());
    made.insert(node.outputs.begin(), node.outputs.end());
  }
  const auto keep = [](const std::vector<ValueId>& all, const std::set<ValueId>& some) {
    std::vector<ValueId> kept;
    std::copy_if(all.begin(), all.end(), std::back_inserter(kept),
                 [&](ValueId value) { return some.contains(value); });
    return kept;
  };
  return {keep(cuts[begin].crossing, used), keep(crossing, made)};
}

std::vector<LayerId> layers_of(const BranchBlock& block, const std::vector<std::size_t>& branches) {
  std::vector<LayerId> layers;
  for (const std::size_t branch : branches)
    layers.insert(layers.end(), block.branches.at(branch).begin(), block.branches.at(branch).end());
  std::sort(layers.begin(), layers.end());
  return layers;
}

}  // namespace lamina
