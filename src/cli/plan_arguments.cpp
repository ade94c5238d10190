#include "cli/plan_arguments.h"

#include "base/error.h"
#include "base/text.h"
#include "cli/checks.h"
#include "cli/tensor_arguments.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/ranges.h>

namespace lamina::cli {

namespace {

// A number from 1 on; nothing for other text.
std::optional<std::int64_t> parse_count(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number;
}

std::int64_t parse_size(const std::string& text, const std::string& range) {
  if (const auto size = parse_count(text)) return *size;
  fail(ErrorCode::invalid_argument, "--batch is '{}', expected a size or a range of sizes such as 1..64",
       range);
}

std::size_t parse_replicas(const std::string& text, std::size_t machines) {
  if (text == "auto") return machines;
  const auto number = parse_count(text);
  if (number && static_cast<std::size_t>(*number) <= machines) return static_cast<std::size_t>(*number);
  fail(ErrorCode::invalid_argument, "--replicas is '{}', expected 1 to {}, the number of machines, or auto",
       text, machines);
}

// The first and the last size.
std::pair<std::int64_t, std::int64_t> parse_range(const std::string& range) {
  const std::size_t dots = range.find("..");
  const std::int64_t first = parse_size(range.substr(0, dots), range);
  const std::int64_t last = dots == std::string::npos ? first : parse_size(range.substr(dots + 2), range);
  if (last < first)
    fail(ErrorCode::invalid_argument, "--batch is '{}', expected the smaller size first", range);
  return {first, last};
}

// What would measure the ends of a range too.
std::string advice(const Benchmark& benchmark, std::int64_t first, std::int64_t last) {
  std::set<std::int64_t> sizes = {first, last};
  for (const std::int64_t size : batch_sizes(benchmark)) sizes.insert(size);
  return fmt::format("'lamina benchmark -b {}'", fmt::join(sizes, ","));
}

}  // namespace

void PlanArguments::add_to(CLI::App& command) {
  command.add_option(
      "-c,--constraints", constraints,
      "must={slice:machine,…},mustnot={…},use={machine,…},avoid={…},private={layers},bytes={from>to:1MB},"
      "time={machine:50%}; slices by name of layer, * stands for any letters");
  command.add_option("--objective", objective, "what the plan is best at")
      ->capture_default_str()
      ->check(CLI::IsMember({"latency", "throughput", "memory", "devices"}));
  command.add_option("--deadline", deadline, "the most that a request may take, such as 50ms");
  command.add_option("--min-rate", min_rate, "the least that the plan carries, such as 20/s");
  command.add_option("--replicas", replicas, "machines that may run the same stage, at most; auto: all")
      ->capture_default_str();
  command.add_flag("--no-branches", no_branches,
                   "run branches of the model one after another, also where they are faster at once");
  command.add_option("--time-limit", time_limit, "seconds to look for the best plan and its proof")
      ->capture_default_str()
      ->check(positive_number());
  command
      .add_option(
          "--wire", wire.wire,
          "format of tensors between machines; auto: for each hop the one that serves the objective best, of "
          "those that keep the answers")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "f16", "int8", "lz4", "auto"}));
  command.add_option("--calibration", wire.calibration,
                     "an .npy for each input, to try wire formats on; random values without it");
  command
      .add_option("--wire-tolerance", wire.tolerance,
                  "greatest difference that wire formats may make, relative to the largest output")
      ->capture_default_str()
      ->check(number_from_0());
}

PlanDemands demands_of(const PlanArguments& arguments, const Signature& signature) {
  PlanDemands demands;
  demands.constraints = arguments.constraints;
  demands.deadline = arguments.deadline;
  demands.min_rate = arguments.min_rate;
  demands.replicas = arguments.replicas;
  demands.batch = arguments.batch;
  demands.branches = !arguments.no_branches;
  demands.wire = arguments.wire.wire;
  demands.wire_tolerance = arguments.wire.tolerance;
  if (!arguments.wire.calibration.empty())
    demands.calibration = input_files(signature, arguments.wire.calibration);
  for (std::string& file : demands.calibration) file = std::filesystem::absolute(file).string();
  return demands;
}

PlanArguments arguments_of(const Plan& plan) {
  PlanArguments arguments;
  arguments.objective = to_string(plan.objective);
  arguments.constraints = plan.demands.constraints;
  arguments.deadline = plan.demands.deadline;
  arguments.min_rate = plan.demands.min_rate;
  arguments.replicas = plan.demands.replicas;
  arguments.batch = plan.demands.batch;
  arguments.no_branches = !plan.demands.branches;
  arguments.wire = {plan.demands.wire, plan.demands.calibration, plan.demands.wire_tolerance};
  return arguments;
}

PlanningRequest request_of(const PlanArguments& arguments, std::size_t machines) {
  PlanningRequest request;
  request.objective = objective_from_string(arguments.objective, "--objective");
  if (!arguments.deadline.empty()) {
    request.deadline =
        std::chrono::duration<double>(parse_duration(arguments.deadline, "--deadline")).count();
    if (!(request.deadline > 0))
      fail(ErrorCode::invalid_argument, "--deadline is '{}', expected more than 0, such as 50ms",
           arguments.deadline);
  }
  if (!arguments.min_rate.empty()) request.period = 1 / parse_rate(arguments.min_rate, "--min-rate");
  request.replicas = parse_replicas(arguments.replicas, machines);
  request.branches = !arguments.no_branches;
  request.time_limit =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(arguments.time_limit));
  request.branch_time = request.time_limit;
  return request;
}

std::vector<std::int64_t> wanted_sizes(const Benchmark& benchmark, const std::string& range) {
  if (range.empty()) return {benchmark.batch};
  const auto [first, last] = parse_range(range);
  std::vector<std::int64_t> sizes = batch_sizes(benchmark);
  std::erase_if(sizes,
                [first = first, last = last](std::int64_t size) { return size < first || size > last; });
  if (sizes.empty()) {
    fail(ErrorCode::invalid_argument, "--batch is {}, but only batches of {} were measured; {} measures more",
         range, fmt::join(batch_sizes(benchmark), ", "), advice(benchmark, first, last));
  }
  return sizes;
}

std::string describe_sizes(const Benchmark& benchmark, const std::string& range) {
  if (range.empty()) return "";
  const auto [first, last] = parse_range(range);
  const std::vector<std::int64_t> sizes = wanted_sizes(benchmark, range);
  if (static_cast<std::int64_t>(sizes.size()) == last - first + 1) return "";
  const bool ends_measured = sizes.front() == first && sizes.back() == last;
  return fmt::format("--batch {}: batches of {} were measured and are planned for{}", range,
                     fmt::join(sizes, ", "),
                     ends_measured ? "" : fmt::format("; {} measures more", advice(benchmark, first, last)));
}

}  // namespace lamina::cli
