// By how much our plans beat those of PAPDL, PipeEdge and Scission: planners_bench [SCISSION.JSON].
//
// Each planner decides by its own rules (tests/support/other_planners.h) on the same figures; what it decided
// is then judged by the true cost. Prints a Markdown table a figure: theirs over ours, the median (and the
// least and the greatest) of all problems of a kind; plans that break a machine's memory don't fit and have
// no ratio.
#include "base/error.h"
#include "plan/planner.h"
#include "support/other_planners.h"
#include "support/scission_figures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace lamina {
namespace {

// A problem with what the others want to know besides.
struct Case {
  PlacementProblem problem;
  std::vector<Tier> tiers;         // Scission's, by device
  std::vector<std::size_t> types;  // PipeEdge's, by device
};

struct Kind {
  std::string name;
  std::vector<Case> cases;
};

struct Planner {
  std::string name;
  std::function<std::optional<OtherPlan>(const Case&)> plan;
};

// A figure of a placement that our planner makes as small as can be.
struct Figure {
  std::string name;
  Objective objective;
  double (*of)(const Placement&);
};

const std::array<Figure, 2> kFigures{{
    {"Latency", Objective::latency, [](const Placement& placement) { return placement.latency; }},
    {"Period", Objective::throughput, [](const Placement& placement) { return placement.period; }},
}};

const std::array<Planner, 3> kPlanners{{
    {"PAPDL", [](const Case& one) { return plan_like_papdl(one.problem); }},
    {"Scission", [](const Case& one) { return plan_like_scission(one.problem, one.tiers); }},
    {"PipeEdge (plans for rate)", [](const Case& one) { return plan_like_pipeedge(one.problem, one.types); }},
}};

// A layer of VGG16 at 224 × 224 × 3, batch 1, by its definition (K. Simonyan, A. Zisserman, 2015):
// operations, and bytes of its weights and of its output.
struct Layer {
  std::string name;
  double operations = 0;
  std::uint64_t weight_bytes = 0;
  std::uint64_t output_bytes = 0;
};

std::vector<Layer> vgg16() {
  constexpr std::uint64_t kFloat = 4;
  std::vector<Layer> layers;
  std::uint64_t side = 224;
  std::uint64_t channels = 3;
  const auto convolution = [&](std::uint64_t filters) {
    const std::uint64_t taps = 9 * channels * filters;
    layers.push_back({fmt::format("conv{}", layers.size() + 1), 2.0 * static_cast<double>(taps * side * side),
                      kFloat * (taps + filters), kFloat * side * side * filters});
    channels = filters;
  };
  for (const auto& [convolutions, filters] :
       std::vector<std::pair<int, std::uint64_t>>{{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}}) {
    for (int i = 0; i < convolutions; ++i) convolution(filters);
    side /= 2;
    layers.push_back({fmt::format("pool{}", layers.size() + 1),
                      4.0 * static_cast<double>(side * side * channels), 0, kFloat * side * side * channels});
  }
  std::uint64_t features = side * side * channels;
  layers.push_back({"flatten", 0, 0, kFloat * features});
  for (const std::uint64_t units : {4096, 4096, 1000}) {
    layers.push_back({fmt::format("dense{}", layers.size() + 1), 2.0 * static_cast<double>(features * units),
                      kFloat * (features + 1) * units, kFloat * units});
    features = units;
  }
  return layers;
}

struct Machine {
  std::string name;
  double operations_per_second = 0;
  std::uint64_t memory = 0;
  double bandwidth = 0;  // bytes a second, of its network card
};

// VGG16 on machines of one switch; the first is the source.
PlacementProblem vgg16_on(const std::vector<Machine>& machines, double round_trip) {
  constexpr LinkCost kLoopback{50e-6, 5e9};
  const std::vector<Layer> layers = vgg16();
  PlacementProblem problem;
  problem.cut_bytes.push_back(std::uint64_t{224} * 224 * 3 * 4);
  for (const Layer& layer : layers) {
    problem.pieces.push_back({layer.name});
    problem.cut_bytes.push_back(layer.output_bytes);
  }
  for (const Machine& machine : machines) {
    problem.devices.push_back({machine.name, machine.memory});
    auto& row = problem.cost.emplace_back();
    for (std::size_t i = 0; i < layers.size(); ++i) {
      row.push_back({layers[i].operations / machine.operations_per_second, layers[i].weight_bytes,
                     problem.cut_bytes[i] + layers[i].output_bytes});
    }
    auto& links = problem.links.emplace_back();
    for (const Machine& to : machines)
      links.push_back({round_trip, std::min(machine.bandwidth, to.bandwidth)});
    links[problem.links.size() - 1] = kLoopback;
  }
  return problem;
}

std::vector<std::size_t> one_type_each(std::size_t devices) {
  std::vector<std::size_t> types(devices);
  for (std::size_t i = 0; i < devices; ++i) types[i] = i;
  return types;
}

// The testbed of PAPDL's README, of which plans take 0.8 of the free memory; `free_of_pc5` in bytes.
Kind testbed(const std::string& name, double bits_per_second, double free_of_pc5) {
  constexpr double kOperationsPerCore = 20e9;
  const auto machine = [&](const std::string& host, double cores, double free) {
    return Machine{host, cores * kOperationsPerCore, static_cast<std::uint64_t>(0.8 * free),
                   bits_per_second / 8};
  };
  const std::vector<Machine> machines{machine("vm4", 1, 2e9), machine("vm5", 2, 4e9),
                                      machine("pc5", 4, free_of_pc5)};
  return {name,
          {{vgg16_on(machines, 0.4e-3),
            {Tier::device, Tier::edge, Tier::cloud},
            one_type_each(machines.size())}}};
}

// Sixteen machines of speeds, memory and network cards that differ by up to ten times; one of the slowest
// half is the source, the others of this half are the edge.
Kind sixteen(const std::string& name, double least_memory, double most_memory) {
  constexpr unsigned kProblems = 9;
  constexpr std::size_t kMachines = 16;
  Kind kind{name, {}};
  for (unsigned seed = 0; seed < kProblems; ++seed) {
    std::mt19937 random(seed);
    const auto real = [&](double low, double high) {
      return std::uniform_real_distribution<double>(low, high)(random);
    };
    std::vector<Machine> machines;
    for (std::size_t i = 0; i < kMachines; ++i) {
      machines.push_back({fmt::format("machine{:02}", i), real(20e9, 200e9),
                          static_cast<std::uint64_t>(real(least_memory, most_memory)), real(12.5e6, 125e6)});
    }
    std::sort(machines.begin(), machines.end(), [](const Machine& a, const Machine& b) {
      return a.operations_per_second < b.operations_per_second;
    });
    std::vector<Tier> tiers(kMachines, Tier::cloud);
    std::fill_n(tiers.begin(), kMachines / 2, Tier::edge);
    tiers[0] = Tier::device;
    kind.cases.push_back({vgg16_on(machines, real(0.2e-3, 5e-3)), tiers, one_type_each(kMachines)});
  }
  return kind;
}

// All models that Scission measured, with the picture at the Raspberry Pi and the answer sent back there. Its
// pings are round trips; it has no figures of memory, nor of links between machines of one tier.
Kind measured_by_scission(const ScissionFigures& figures, const std::string& network) {
  constexpr LinkCost kLoopback{50e-6, 5e9};
  constexpr LinkCost kNone{std::numeric_limits<double>::infinity(), 0};
  Kind kind{fmt::format("Scission's figures, network \"{}\"", network), {}};
  const std::size_t devices = figures.machines.size();
  for (const auto& [model, blocks] : figures.machines.front().models) {
    Case one;
    PlacementProblem& problem = one.problem;
    problem.cut_bytes.push_back(kScissionInputBytes);
    for (const ScissionBlock& block : blocks) {
      problem.pieces.push_back({fmt::format("{}–{}", block.first_layer, block.last_layer)});
      problem.cut_bytes.push_back(block.output_bytes);
    }
    problem.links.assign(devices, std::vector<LinkCost>(devices, kNone));
    for (std::size_t from = 0; from < devices; ++from) {
      const ScissionMachine& machine = figures.machines[from];
      problem.devices.push_back({machine.name, std::numeric_limits<std::uint64_t>::max()});
      auto& row = problem.cost.emplace_back();
      for (const ScissionBlock& block : machine.models.at(model)) row.push_back({block.seconds});
      one.tiers.push_back(machine.tier == "device" ? Tier::device
                          : machine.tier == "edge" ? Tier::edge
                                                   : Tier::cloud);
      if (machine.tier == "device") problem.source = from;
      problem.links[from][from] = kLoopback;
      for (std::size_t to = 0; to < devices; ++to) {
        const auto& links = figures.networks.at(network);
        const auto link = links.find({machine.name, figures.machines[to].name});
        if (link == links.end()) continue;
        problem.links[from][to] = problem.links[to][from] = {link->second.ping, link->second.bandwidth};
      }
    }
    one.types = one_type_each(devices);
    kind.cases.push_back(std::move(one));
  }
  return kind;
}

struct Verdict {
  std::vector<double> ratios;
  int does_not_fit = 0;  // breaks the memory of a machine
  int no_link = 0;       // sends where no link leads
  int no_plan = 0;
  int incomplete = 0;  // drops pieces, though its figure is that of all
};

std::string text_of(Verdict& verdict) {
  std::string text;
  const auto add = [&](const std::string& more) { text += (text.empty() ? "" : "; ") + more; };
  std::sort(verdict.ratios.begin(), verdict.ratios.end());
  if (verdict.ratios.size() == 1) add(fmt::format("{:.3f}", verdict.ratios.front()));
  if (verdict.ratios.size() > 1) {
    add(fmt::format("{:.3f} ({:.3f}–{:.3f})", verdict.ratios[verdict.ratios.size() / 2],
                    verdict.ratios.front(), verdict.ratios.back()));
  }
  const auto count = [&](int number, const char* what) {
    if (number > 0) add(fmt::format("{}: {}", what, number));
  };
  count(verdict.does_not_fit, "does not fit");
  count(verdict.no_link, "no link");
  count(verdict.no_plan, "no plan");
  count(verdict.incomplete, "loses its last block");
  return text;
}

void compare(const Figure& figure, Kind& kind) {
  std::vector<Verdict> verdicts(kPlanners.size());
  std::vector<double> ours;
  std::size_t proven = 0;
  for (const Case& one : kind.cases) {
    const PlannedPlacement planned = find_placements(one.problem, {.objective = figure.objective}).front();
    proven += planned.proven_best ? 1 : 0;
    ours.push_back(figure.of(planned.placement));
    for (std::size_t i = 0; i < kPlanners.size(); ++i) {
      const std::optional<OtherPlan> theirs = kPlanners[i].plan(one);
      if (!theirs) {
        ++verdicts[i].no_plan;
        continue;
      }
      if (theirs->deployed < one.problem.pieces.size()) ++verdicts[i].incomplete;
      const Placement placement = evaluate(one.problem, theirs->device_of);
      if (is_feasible(one.problem, placement)) {
        verdicts[i].ratios.push_back(figure.of(placement) / ours.back());
      } else {
        ++(std::isfinite(placement.latency) ? verdicts[i].does_not_fit : verdicts[i].no_link);
      }
    }
  }
  std::sort(ours.begin(), ours.end());
  std::string row = fmt::format("| {} | {} | {:.1f} | {} |", kind.name, kind.cases.size(),
                                ours[ours.size() / 2] * 1e3, proven);
  for (Verdict& verdict : verdicts) row += fmt::format(" {} |", text_of(verdict));
  std::printf("%s\n", row.c_str());
  std::fflush(stdout);
}

int run(const std::filesystem::path& scission) {
  std::vector<Kind> kinds{
      testbed("PAPDL's testbed, VGG16, 1 Gb/s", 1e9, 32e9),
      testbed("the same, 100 Mb/s", 1e8, 32e9),
      testbed("the same, 1 Gb/s, pc5 with 0.5 GB free", 1e9, 0.5e9),
      testbed("the same, 100 Mb/s, pc5 with 0.5 GB free", 1e8, 0.5e9),
      sixteen("VGG16 on 16 unequal machines, memory plenty", 2e9, 8e9),
      sixteen("VGG16 on 16 unequal machines, memory tight", 0.1e9, 0.6e9),
  };
  if (std::filesystem::exists(scission)) {
    const ScissionFigures figures = read_scission_figures(scission);
    for (const auto& [network, links] : figures.networks)
      kinds.push_back(measured_by_scission(figures, network));
  } else {
    std::fprintf(stderr, "Scission's figures are not at %s; left out\n", scission.c_str());
  }
  for (const Figure& figure : kFigures) {
    std::string header =
        fmt::format("| {}, theirs over ours | problems | ours, ms | proven best |", figure.name);
    std::string rule = "| --- | --- | --- | --- |";
    for (const Planner& planner : kPlanners) {
      header += fmt::format(" {} |", planner.name);
      rule += " --- |";
    }
    std::printf("%s\n%s\n", header.c_str(), rule.c_str());
    for (Kind& kind : kinds) compare(figure, kind);
  }
  return 0;
}

}  // namespace
}  // namespace lamina

int main(int argc, char** argv) {
  try {
    return lamina::run(argc > 1 ? argv[1] : LAMINA_SOURCE_DIR "/../shared/data/scission.json");
  } catch (const lamina::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
