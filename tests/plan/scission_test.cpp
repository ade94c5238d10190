// Scission's published example and all its models: its rules as a placement problem, against its own
// exhaustive search written anew on its raw figures.
#include "plan/constraints.h"
#include "plan/least_latency.h"
#include "support/other_planners.h"
#include "support/scission_figures.h"

#include <algorithm>
#include <functional>
#include <limits>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

// A block for each tier, by number of blocks: [0, x) on the device, [x, y) on the edge, the rest in the
// cloud.
struct Scenario {
  const ScissionMachine* device = nullptr;
  const ScissionMachine* edge = nullptr;
  const ScissionMachine* cloud = nullptr;
  std::size_t x = 0;
  std::size_t y = 0;
  double seconds = kNever;
};

struct Search {
  Scenario best;
  std::size_t candidates = 0;
};

using Wanted = std::function<bool(const Scenario&)>;

// Every scenario of Scission, the fastest of those that are wanted.
Search search_all(
    const ScissionFigures& figures, const std::string& model, const std::string& network,
    const Wanted& wanted = [](const Scenario&) { return true; }) {
  const auto& links = figures.networks.at(network);
  Search search;
  const auto time = [&](const ScissionMachine& machine, std::size_t begin, std::size_t end) {
    double seconds = 0;
    for (std::size_t i = begin; i < end; ++i) seconds += machine.models.at(model)[i].seconds;
    return seconds;
  };
  const auto send = [&](const ScissionMachine& from, const ScissionMachine& to, std::uint64_t bytes) {
    const ScissionLink& link = links.at({from.name, to.name});
    return link.ping + static_cast<double>(bytes) / link.bandwidth;
  };
  const auto consider = [&](Scenario scenario) {
    const auto& blocks = scenario.device->models.at(model);
    const std::uint64_t from_device =
        scenario.x == 0 ? kScissionInputBytes : blocks[scenario.x - 1].output_bytes;
    scenario.seconds = time(*scenario.device, 0, scenario.x) + time(*scenario.edge, scenario.x, scenario.y) +
                       time(*scenario.cloud, scenario.y, blocks.size());
    const bool uses_edge = scenario.x < scenario.y;
    const bool uses_cloud = scenario.y < blocks.size();
    if (uses_edge) scenario.seconds += send(*scenario.device, *scenario.edge, from_device);
    if (uses_edge && uses_cloud) {
      // The output as the edge measured it.
      const std::uint64_t bytes = scenario.edge->models.at(model)[scenario.y - 1].output_bytes;
      scenario.seconds += send(*scenario.edge, *scenario.cloud, bytes);
    }
    if (!uses_edge && uses_cloud) scenario.seconds += send(*scenario.device, *scenario.cloud, from_device);
    ++search.candidates;
    if (wanted(scenario) && scenario.seconds < search.best.seconds) search.best = scenario;
  };
  for (const ScissionMachine& device : figures.machines) {
    for (const ScissionMachine& edge : figures.machines) {
      for (const ScissionMachine& cloud : figures.machines) {
        if (device.tier != "device" || edge.tier != "edge" || cloud.tier != "cloud") continue;
        const std::size_t blocks = device.models.at(model).size();
        for (std::size_t x = 0; x <= blocks; ++x) {
          for (std::size_t y = x; y <= blocks; ++y) consider({&device, &edge, &cloud, x, y});
        }
      }
    }
  }
  return search;
}

struct Expressed {
  PlacementProblem problem;
  std::vector<std::vector<std::string>> layers;
};

// Scission's rules in our cost model. A client that can run nothing is the source: its links are those of the
// device, to the device itself and back from everywhere they cost nothing. So the input leaves from the
// device and no answer is charged, and yet no other machine has a way to the device. A hop is charged the
// whole ping.
Expressed express(const ScissionFigures& figures, const std::string& model, const std::string& network) {
  constexpr LinkCost kFree{0, kNever};
  constexpr LinkCost kNone{kNever, 0};
  const auto& links = figures.networks.at(network);
  const auto& blocks = figures.machines.front().models.at(model);
  Expressed expressed;
  PlacementProblem& problem = expressed.problem;
  problem.cut_bytes.push_back(kScissionInputBytes);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    problem.pieces.push_back({fmt::format("block {}", i)});
    problem.cut_bytes.push_back(blocks[i].output_bytes);
    auto& layers = expressed.layers.emplace_back();
    for (std::size_t layer = blocks[i].first_layer; layer <= blocks[i].last_layer; ++layer)
      layers.push_back(std::to_string(layer));
  }
  problem.devices.push_back({"client"});
  problem.cost.emplace_back(blocks.size(), PieceCost{kNever});
  for (const ScissionMachine& machine : figures.machines) {
    problem.devices.push_back({machine.name, std::numeric_limits<std::uint64_t>::max()});
    auto& row = problem.cost.emplace_back();
    for (const ScissionBlock& block : machine.models.at(model)) row.push_back({block.seconds});
  }
  const std::size_t devices = problem.devices.size();
  problem.links.assign(devices, std::vector<LinkCost>(devices, kNone));
  const auto device = std::find_if(figures.machines.begin(), figures.machines.end(),
                                   [](const ScissionMachine& machine) { return machine.tier == "device"; });
  for (std::size_t to = 1; to < devices; ++to) {
    const std::string& name = problem.devices[to].name;
    problem.links[to][0] = kFree;
    if (name == device->name) problem.links[0][to] = kFree;
    for (std::size_t from = 0; from < devices; ++from) {
      const auto link = links.find({from == 0 ? device->name : problem.devices[from].name, name});
      if (link != links.end()) problem.links[from][to] = {2 * link->second.ping, link->second.bandwidth};
    }
  }
  return expressed;
}

// The same for plan_like_scission(), which takes a round trip for a ping.
PlacementProblem with_pings(PlacementProblem problem) {
  for (auto& row : problem.links) {
    for (LinkCost& link : row) link.round_trip /= 2;
  }
  return problem;
}

// Of the client too, whose links are those of the device.
std::vector<Tier> tiers_of(const ScissionFigures& figures) {
  std::vector<Tier> tiers{Tier::device};
  for (const ScissionMachine& machine : figures.machines) {
    tiers.push_back(machine.tier == "device" ? Tier::device
                    : machine.tier == "edge" ? Tier::edge
                                             : Tier::cloud);
  }
  return tiers;
}

// "raspi4 0–6, vm2Core 7–11": machines with their layers.
std::string describe(const PlacementProblem& problem, const std::vector<ScissionBlock>& blocks,
                     const Placement& placement) {
  std::string text;
  for (const PlacedStage& stage : placement.stages) {
    text += fmt::format("{}{} {}–{}", text.empty() ? "" : ", ",
                        problem.devices[stage.replicas.front().device].name,
                        blocks[stage.first_piece].first_layer, blocks[stage.end_piece - 1].last_layer);
  }
  return text;
}

class Scission : public testing::Test {
 protected:
  void SetUp() override {
    const std::filesystem::path path = LAMINA_SOURCE_DIR "/../shared/data/scission.json";
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "Scission's figures are not at " << path;
    figures_ = read_scission_figures(path);
  }

  ScissionFigures figures_;
};

// README of Scission: scission_predict.py benchmark_data network_stats.csv vgg19 -d "!-1" -e 10 -c 16
TEST_F(Scission, PlansItsPublishedExample) {
  Expressed expressed = express(figures_, "vgg19", "slow");
  PlacementProblem& problem = expressed.problem;
  Constraints constraints;
  const auto only_on = [&](const std::string& layer, const std::string& tier) {
    for (const ScissionMachine& machine : figures_.machines) {
      if (machine.tier != tier) constraints.must_not.push_back({layer, machine.name});
    }
  };
  only_on("0", "device");
  only_on("10", "edge");
  only_on("16", "cloud");
  apply_constraints(constraints, expressed.layers, problem);
  const PlannedPlacement planned = find_least_latency(problem);
  EXPECT_TRUE(planned.proven_best);
  EXPECT_EQ(fmt::format("{:.4f}", planned.placement.latency), "9.0106");
  EXPECT_EQ(describe(problem, figures_.machines.front().models.at("vgg19"), planned.placement),
            "raspi4 0–6, vm2Core 7–11, 6700k(GPU) 12–25");
}

// The same from the search that the next test takes for truth.
TEST_F(Scission, TheExhaustiveSearchFindsItsPublishedExample) {
  const auto& blocks = figures_.machines.front().models.at("vgg19");
  const auto block_of = [&](std::size_t layer) {
    return static_cast<std::size_t>(
        std::find_if(blocks.begin(), blocks.end(),
                     [&](const ScissionBlock& block) { return layer <= block.last_layer; }) -
        blocks.begin());
  };
  const Search search = search_all(figures_, "vgg19", "slow", [&](const Scenario& scenario) {
    return scenario.x > 0 && scenario.x <= block_of(10) && block_of(10) < scenario.y &&
           scenario.y <= block_of(16);
  });
  EXPECT_EQ(fmt::format("{:.4f}", search.best.seconds), "9.0106");
  EXPECT_EQ(search.best.edge->name, "vm2Core");
  EXPECT_EQ(search.best.cloud->name, "6700k(GPU)");
  EXPECT_EQ(blocks[search.best.x - 1].last_layer, 6U);
  EXPECT_EQ(blocks[search.best.y - 1].last_layer, 11U);
  EXPECT_EQ(search.candidates, 1404U);
}

TEST_F(Scission, PlansEveryModelAsItsExhaustiveSearchDoes) {
  for (const auto& [network, links] : figures_.networks) {
    for (const auto& [model, blocks] : figures_.machines.front().models) {
      const double best = search_all(figures_, model, network).best.seconds;
      const PlacementProblem problem = express(figures_, model, network).problem;
      const PlannedPlacement planned = find_least_latency(problem);
      EXPECT_TRUE(planned.proven_best);
      EXPECT_NEAR(planned.placement.latency, best, 1e-9)
          << model << " on " << network << ": " << describe(problem, blocks, planned.placement);
      EXPECT_NEAR(plan_like_scission(with_pings(problem), tiers_of(figures_)).value().belief, best, 1e-9)
          << model << " on " << network;
    }
  }
}

// Left free, these figures are best on one machine each. Here each tier must have a block: no link passes
// over the edge, the first block is on the device and the last in the cloud.
TEST_F(Scission, CutsEveryModelAsItsExhaustiveSearchDoes) {
  const std::vector<Tier> tiers = tiers_of(figures_);
  for (const auto& [network, links] : figures_.networks) {
    for (const auto& [model, blocks] : figures_.machines.front().models) {
      const std::size_t count = blocks.size();
      const double best = search_all(figures_, model, network, [&](const Scenario& scenario) {
                            return 0 < scenario.x && scenario.x < scenario.y && scenario.y < count;
                          }).best.seconds;
      PlacementProblem problem = express(figures_, model, network).problem;
      for (std::size_t i = 0; i < tiers.size(); ++i) {
        if (tiers[i] != Tier::device) problem.cost[i].front().seconds = kNever;
        if (tiers[i] != Tier::cloud) problem.cost[i].back().seconds = kNever;
        for (std::size_t to = 0; to < tiers.size(); ++to) {
          if (tiers[i] == Tier::device && tiers[to] == Tier::cloud) problem.links[i][to] = {kNever, 0};
        }
      }
      const PlannedPlacement planned = find_least_latency(problem);
      EXPECT_TRUE(planned.proven_best);
      EXPECT_EQ(planned.placement.stages.size(), 3U);
      EXPECT_NEAR(planned.placement.latency, best, 1e-9)
          << model << " on " << network << ": " << describe(problem, blocks, planned.placement);
    }
  }
}

}  // namespace
}  // namespace lamina
