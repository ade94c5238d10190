// How long planning takes: plan_bench. Prints a line a problem: the median of runs, and whether the answer is
// proven best.
#include "base/clock.h"
#include "base/error.h"
#include "plan/highest_rate.h"
#include "plan/least_latency.h"

#include <algorithm>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

namespace lamina {
namespace {

// A chain of `pieces` on `devices` of so many kinds, of speeds up to 10 times apart; `tightness` is the
// memory of all devices together over what the model needs.
PlacementProblem make_problem(std::size_t pieces, std::size_t devices, std::size_t kinds, double tightness,
                              unsigned seed) {
  std::mt19937 random(seed);
  const auto real = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  PlacementProblem problem;
  std::vector<double> work;
  std::vector<std::uint64_t> weights;
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < pieces; ++i) {
    problem.pieces.push_back({"piece" + std::to_string(i)});
    work.push_back(real(0.1e-3, 10e-3));
    weights.push_back(static_cast<std::uint64_t>(real(1e4, 2e7)));
    all += weights.back();
  }
  for (std::size_t i = 0; i <= pieces; ++i)
    problem.cut_bytes.push_back(static_cast<std::uint64_t>(real(4e3, 3e6)));
  double speeds = 0;
  std::vector<double> speed;
  for (std::size_t i = 0; i < devices; ++i)
    speeds += speed.emplace_back(i < kinds ? real(1, 10) : speed[i % kinds]);
  for (std::size_t d = 0; d < devices; ++d) {
    problem.devices.push_back(
        {"device" + std::to_string(d),
         static_cast<std::uint64_t>(tightness * static_cast<double>(all) * speed[d] / speeds)});
    auto& row = problem.cost.emplace_back();
    for (std::size_t i = 0; i < pieces; ++i)
      row.push_back({work[i] / speed[d] * real(0.8, 1.2), weights[i], 1'000'000});
    auto& links = problem.links.emplace_back();
    for (std::size_t to = 0; to < devices; ++to) links.push_back({real(50e-6, 2e-3), real(1e7, 1e9)});
  }
  for (std::size_t d = kinds; d < devices; ++d) problem.cost[d] = problem.cost[d % kinds];
  for (std::size_t from = 0; from < devices; ++from) {
    for (std::size_t to = 0; to < devices; ++to)
      problem.links[from][to] = problem.links[from % kinds][to % kinds];
  }
  return problem;
}

// How far the figure of the objective is above its bound.
double gap_of(const PlannedPlacement& planned, bool rate) {
  const double figure = rate ? planned.placement.period : planned.placement.latency;
  return figure / planned.lower_bound - 1;
}

void measure(const char* what, std::size_t pieces, std::size_t devices, double tightness, bool rate,
             std::size_t kinds = 0, std::size_t replicas = 1) {
  std::vector<double> seconds;
  int proven = 0;
  double gap = 0;
  constexpr unsigned kProblems = 9;
  for (unsigned seed = 0; seed < kProblems; ++seed) {
    const PlacementProblem problem =
        make_problem(pieces, devices, kinds > 0 ? kinds : devices, tightness, seed);
    const Clock::time_point begin = Clock::now();
    try {
      const PlannedPlacement planned =
          rate ? find_highest_rate(problem, {.replicas = replicas}) : find_least_latency(problem);
      proven += planned.proven_best ? 1 : 0;
      gap = std::max(gap, gap_of(planned, rate));
    } catch (const Error& error) {
      std::printf("  seed %u: %s\n", seed, error.what());
    }
    seconds.push_back(seconds_since(begin));
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("| %s | %s | %zu × %zu | %.2f | %.2f | %d of %u | %.1f %% |\n", rate ? "throughput" : "latency",
              what, pieces, devices, seconds[seconds.size() / 2] * 1e3, seconds.back() * 1e3, proven,
              kProblems, gap * 100);
}

}  // namespace
}  // namespace lamina

// plan_bench [latency|throughput]: one objective or both.
int main(int argc, char** argv) {
  const std::string objective = argc > 1 ? argv[1] : "both";
  const bool latency = objective == "latency" || objective == "both";
  const bool throughput = objective == "throughput" || objective == "both";
  if (argc > 2 || (!latency && !throughput)) {
    std::fprintf(stderr, "usage: plan_bench [latency|throughput]\n");
    return 2;
  }
  std::printf(
      "| objective | memory | pieces × devices | median, ms | slowest, ms | proven best | largest gap |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n");
  const char* const tight = "tight (1.2 of the model)";
  for (const bool rate : {false, true}) {
    if (!(rate ? throughput : latency)) continue;
    lamina::measure("plenty", 22, 3, 10, rate);
    lamina::measure(tight, 22, 3, 1.2, rate);
    lamina::measure("plenty", 200, 12, 40, rate);
    lamina::measure(tight, 200, 12, 1.2, rate);
  }
  if (latency) {
    lamina::measure("1.5 of the model", 200, 12, 1.5, false);
    lamina::measure("twice the model", 200, 12, 2, false);
    lamina::measure("tight, 4 kinds", 200, 12, 1.2, false, 4);
    lamina::measure("plenty", 1000, 16, 40, false);
    lamina::measure(tight, 1000, 16, 1.2, false);
    lamina::measure("plenty", 1000, 64, 40, false);
    lamina::measure("thrice the model", 1000, 64, 3, false);
    lamina::measure("twice the model", 1000, 64, 2, false);
    lamina::measure("1.5 of the model", 1000, 64, 1.5, false);
    lamina::measure(tight, 1000, 64, 1.2, false);
    lamina::measure("tight, 4 kinds", 1000, 64, 1.2, false, 4);
  }
  if (throughput) {
    lamina::measure("plenty, 6 replicas", 22, 6, 20, true, 6, 6);
    lamina::measure("plenty, 4 kinds, 12 replicas", 200, 12, 40, true, 4, 12);
    lamina::measure("plenty", 200, 32, 40, true);
    lamina::measure(tight, 200, 32, 1.2, true);
    lamina::measure("plenty", 1000, 64, 40, true);
    lamina::measure(tight, 1000, 64, 1.2, true);
  }
}
