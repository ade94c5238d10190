#include "cli/wire_choice.h"

#include "base/error.h"
#include "cli/tensor_arguments.h"
#include "plan/problem.h"
#include "profile/measure.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>

namespace lamina::cli {

namespace {

std::vector<Tensor> calibration_of(const WireArguments& arguments, const SlicedModel& model,
                                   const Benchmark& benchmark) {
  const Signature signature = signature_of(model.graph);
  if (arguments.calibration.empty()) return random_inputs(signature, benchmark.batch, 1);
  return load_inputs(signature, arguments.calibration);
}

}  // namespace

WireChoice::WireChoice(const WireArguments& arguments, const SlicedModel& model, const Benchmark& benchmark)
    : arguments_(arguments),
      benchmark_(benchmark),
      engine_(load_engine("openvino")),
      accuracy_(*engine_, model, calibration_of(arguments, model, benchmark)) {
  if (arguments.wire != "auto") {
    measure(arguments.wire);
    return;
  }
  for (const char* name : {"f32", "lz4", "bf16", "f16", "int8"}) measure(name);
}

void WireChoice::measure(const std::string& name) {
  const WireFormat format = wire_format_from_string(name, "--wire");
  const bool exact = format == WireFormat::f32 || format == WireFormat::lz4;
  PlanWire& wire = wires_.emplace_back(PlanWire{name, {}, {}, {}});
  for (std::size_t cut = 0; cut < benchmark_.cut_bytes.size(); ++cut) {
    const WireAccuracy::Size size = accuracy_.size_of(cut, format);
    const Difference difference =
        exact || size.values == 0 ? Difference{} : accuracy_.difference_of({{cut, format}});
    wire.bytes.push_back(size.bytes);
    wire.values.push_back(size.values);
    wire.allowed.push_back(arguments_.wire != "auto" || is_within(difference, arguments_.tolerance));
    wire.difference.push_back(difference.largest);
  }
}

void WireChoice::add_to(PlacementProblem& problem) const {
  problem.wires = wires_;
  // The plan's batch may be another than the calibration's.
  const auto bytes = static_cast<double>(accuracy_.size_of(0, WireFormat::f32).bytes);
  const double scale = bytes > 0 ? static_cast<double>(problem.cut_bytes.front()) / bytes : 1;
  const auto resize = [scale](std::uint64_t& size) {
    size = static_cast<std::uint64_t>(static_cast<double>(size) * scale + 0.5);
  };
  for (PlanWire& wire : problem.wires) {
    std::for_each(wire.bytes.begin(), wire.bytes.end(), resize);
    std::for_each(wire.values.begin(), wire.values.end(), resize);
  }
  for (const PlanWire& wire : wires_) {
    const std::vector<WireSeconds> seconds = wire_seconds(benchmark_, wire.format);
    for (std::size_t device = 0; device < seconds.size(); ++device)
      problem.devices[device].wires.push_back(seconds[device]);
  }
}

bool WireChoice::accept(Plan& plan, const Placement& placement) {
  std::map<std::size_t, std::size_t> hops;  // wire by cut
  for (const PlacedStage& stage : placement.stages) hops[stage.first_piece] = stage.wire.value_or(0);
  hops[placement.stages.back().end_piece] = placement.return_wire;
  std::map<std::size_t, WireFormat> formats;
  std::pair<std::size_t, std::size_t> worst = *hops.begin();
  const auto cost = [&](const auto& hop) { return wires_[hop.second].difference[hop.first]; };
  for (const auto& hop : hops) {
    formats[hop.first] = wire_format_from_string(wires_[hop.second].format, "a plan");
    if (cost(hop) > cost(worst)) worst = hop;
  }
  const Difference difference = accuracy_.difference_of(formats);
  plan.wire_difference = difference.largest;
  if (is_within(difference, arguments_.tolerance)) return true;
  if (arguments_.wire != "auto") {
    std::fprintf(stderr, "wire format %s: the answer %s\n", arguments_.wire.c_str(),
                 to_string(difference, arguments_.tolerance).c_str());
    return true;
  }
  if (cost(worst) == 0) return true;  // nothing left to widen
  wires_[worst.second].allowed[worst.first] = false;
  return false;
}

}  // namespace lamina::cli
