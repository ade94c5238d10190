#include "deploy/benchmark_session.h"

#include "base/error.h"
#include "profile/model_description.h"

#include <algorithm>
#include <map>
#include <utility>

namespace lamina {

namespace {

constexpr std::chrono::milliseconds kSteady{20};
// Quotas are counted over 10 ms; work after idleness runs ahead of them for a while.
constexpr std::chrono::milliseconds kSteadyUnderQuota{150};
constexpr int kWarmUp = 3;
constexpr std::chrono::seconds kLossLimit{1};
constexpr std::uint64_t kFormatBytes = 1U << 20U;  // about what crosses a cut
// Measured is MLPerf's single stream: a request follows the answer to the one before, so that each stage and
// link has been idle for about the time that the whole model takes. Its order of magnitude is enough: what
// differs is whether threads and processors fall asleep.
constexpr double kAssumedFlops = 50e9;  // a second and thread
constexpr std::chrono::microseconds kShortestPause{1'000};
constexpr std::chrono::microseconds kLongestPause{20'000};

// Enough for all threads to take part, and no more: what is left is the cost of running anything.
Graph next_to_nothing() {
  Graph graph("next to nothing");
  graph.begin_layer("idle", "ReLU");
  const ValueId input = graph.add_input("x", {DType::f32, {kBatch, 65'536}});
  graph.add_output("y", graph.add("relu", {input}));
  return graph;
}

bool is_lost(const Error& error) {
  return error.code() == ErrorCode::unavailable || error.code() == ErrorCode::deadline_exceeded;
}

std::vector<std::string> hashes_of(const SlicedModel& model, const Graph& stage) {
  std::map<std::string, std::string> by_name;
  for (std::size_t i = 0; i < model.hashes.size(); ++i)
    by_name[model.graph.weights()[i].name] = model.hashes[i];
  std::vector<std::string> hashes;
  for (const Weight& weight : stage.weights()) hashes.push_back(by_name.at(weight.name));
  return hashes;
}

// What pieces take together over what they take alone, of runs after a pause and of runs one after another.
struct Fusion {
  double paused = 1;
  double steady = 1;
};

class Session {
 public:
  Session(const SlicedModel& model, Fleet& fleet, const BenchmarkOptions& options, const Progress& progress)
      : model_(model), fleet_(fleet), options_(options), progress_(progress) {
    const std::size_t devices = fleet.members().size();
    for (const Node& node : model.graph.nodes()) flops_ += node_flops(model.graph, node, 1);
    std::size_t branches = 0;
    for (const BranchBlock& block : model.blocks) branches += block.branches.size();
    all_ = devices * options.batches.size() * (model.boundaries.size() + branches) + 2 * devices +
           devices * devices;
  }

  Benchmark run(const std::string& model_hash) {
    Benchmark benchmark;
    benchmark.model = model_.graph.name();
    benchmark.model_hash = model_hash;
    benchmark.engine = fleet_.members().front().engine;
    benchmark.memory_multiplier = options_.memory_multiplier;
    benchmark.pieces = describe_pieces(model_);
    for (const FleetMember& member : fleet_.members()) {
      benchmark.devices.push_back(member.device);
      step("waking of " + member.device.name);
      benchmark.wake.push_back(measure(member, next_to_nothing(), 1).median);
      benchmark.formats.push_back(measure_formats(member));
    }
    static_cast<BatchFigures&>(benchmark) = measure_batch(options_.batches.front(), benchmark.wake);
    for (std::size_t i = 1; i < options_.batches.size(); ++i)
      benchmark.other_batches.push_back(measure_batch(options_.batches[i], benchmark.wake));
    measure_links(benchmark);
    if (progress_) progress_(all_, all_, "done");
    return benchmark;
  }

 private:
  BatchFigures measure_batch(std::int64_t batch, const std::vector<double>& wake) {
    BatchFigures figures;
    figures.batch = batch;
    figures.cut_bytes = cut_bytes(model_, batch);
    figures.blocks = describe_blocks(model_, batch);
    for (std::size_t device = 0; device < fleet_.members().size(); ++device) {
      const FleetMember& member = fleet_.members()[device];
      figures.measurements.push_back(measure_pieces(member, batch));
      for (std::size_t i = 0; i < model_.blocks.size(); ++i)
        figures.blocks[i].measurements.push_back(measure_branches(member, model_.blocks[i], batch));
      const Fusion fusion = measure_fusion(member, figures.measurements.back(), wake[device], batch);
      figures.fusion.push_back(fusion.paused);
      figures.steady_fusion.push_back(fusion.steady);
    }
    return figures;
  }

  // What messages take of a device's processors is the mean over its links to others.
  void measure_links(Benchmark& benchmark) {
    const auto& members = fleet_.members();
    benchmark.messages.resize(members.size());
    std::vector<double> sending(members.size(), 0);  // links that count
    std::vector<double> receiving(members.size(), 0);
    for (std::size_t from = 0; from < members.size(); ++from) {
      auto& row = benchmark.links.emplace_back();
      for (std::size_t to = 0; to < members.size(); ++to) {
        const LinkTimes times = measure_link(members[from], members[to]);
        row.push_back(times.link);
        if (!times.link.failure.empty() || (from == to && members.size() > 1)) continue;
        // Of a machine alone, one process is at both ends.
        const double ends = from == to ? 2 : 1;
        benchmark.messages[from].send += times.messages.send / ends;
        benchmark.messages[from].send_byte += times.messages.send_byte / ends;
        benchmark.messages[to].receive += times.messages.receive / ends;
        benchmark.messages[to].receive_byte += times.messages.receive_byte / ends;
        ++sending[from];
        ++receiving[to];
      }
    }
    for (std::size_t device = 0; device < members.size(); ++device) {
      MessageTime& time = benchmark.messages[device];
      time.send /= std::max(1.0, sending[device]);
      time.send_byte /= std::max(1.0, sending[device]);
      time.receive /= std::max(1.0, receiving[device]);
      time.receive_byte /= std::max(1.0, receiving[device]);
    }
  }

  // That a machine can't be reached from another is a result.
  LinkTimes measure_link(const FleetMember& from, const FleetMember& to) {
    step(fmt::format("link {} → {}", from.device.name, to.device.name));
    try {
      return from.client->measure_link(to.client->address(), options_.pings, options_.bandwidth_seconds,
                                       pause(slowest_threads(), options_.batches.front()));
    } catch (const Error& error) {
      fleet_.losses(kLossLimit);  // a connection breaks before its process is seen to have ended
      fleet_.restart_ended();
      return {.link = {.failure = error.what()}, .messages = {}};
    }
  }

  std::vector<FormatTime> measure_formats(const FleetMember& member) {
    step("wire formats on " + member.device.name);
    std::vector<FormatTime> times;
    for (const WireFormat format : {WireFormat::bf16, WireFormat::f16, WireFormat::int8, WireFormat::lz4}) {
      const WireTime time = member.client->measure_wire(format, kFormatBytes);
      times.push_back(
          {std::string(to_string(format)), time.narrow / kFormatBytes, time.widen / kFormatBytes});
    }
    return times;
  }

  void step(const std::string& what) {
    if (progress_) progress_(done_, all_, what);
    ++done_;
  }

  // Where there are several sizes.
  std::string of_batch(std::int64_t batch) const {
    return options_.batches.size() > 1 ? fmt::format(", batches of {}", batch) : "";
  }

  // About the time of the whole model on so many threads.
  std::chrono::microseconds pause(int threads, std::int64_t batch) const {
    const double seconds = static_cast<double>(batch) * flops_ / (kAssumedFlops * std::max(threads, 1));
    const auto idle = std::chrono::microseconds(static_cast<std::int64_t>(std::min(seconds, 1.0) * 1e6));
    return std::clamp(idle, kShortestPause, kLongestPause);
  }

  int slowest_threads() const {
    const auto& members = fleet_.members();
    return std::min_element(members.begin(), members.end(),
                            [](const auto& a, const auto& b) { return a.device.threads < b.device.threads; })
        ->device.threads;
  }

  PieceTime measure_range(const FleetMember& member, std::size_t begin, std::size_t end,
                          std::int64_t batch) const {
    return measure(member, extract_stage(model_.graph, model_.cuts, begin, end), batch);
  }

  PieceTime measure(const FleetMember& member, const Graph& stage, std::int64_t batch) const {
    LoadCost cost;
    const std::string name =
        member.client->load(stage, hashes_of(model_, stage), {options_.precision, batch, 1}, &cost);
    const auto unload = [&] {
      try {
        member.client->unload(name);
      } catch (const Error&) {
        // The worker is gone; the next call to it says so.
      }
    };
    try {
      PieceTime time =
          member.client->measure(name, batch,
                                 {.warm_up = kWarmUp,
                                  .repeats = options_.repeats,
                                  .pause = pause(member.device.threads, batch),
                                  .steady = member.device.cpus > 0 ? kSteadyUnderQuota : kSteady});
      time.weight_bytes = std::max(time.weight_bytes, cost.weights);
      time.load = cost.seconds;
      unload();
      return time;
    } catch (const Error&) {
      unload();
      throw;
    }
  }

  std::vector<PieceMeasurement> measure_pieces(const FleetMember& member, std::int64_t batch) {
    std::vector<PieceMeasurement> row;
    for (std::size_t piece = 0; piece + 1 < model_.boundaries.size(); ++piece)
      row.push_back(measure_if_it_fits(
          member, piece_name(model_, piece),
          extract_stage(model_.graph, model_.cuts, model_.boundaries[piece], model_.boundaries[piece + 1]),
          batch));
    return row;
  }

  std::vector<PieceMeasurement> measure_branches(const FleetMember& member, const BranchBlock& block,
                                                 std::int64_t batch) {
    std::vector<PieceMeasurement> row;
    for (const std::vector<LayerId>& layers : block.branches)
      row.push_back(measure_if_it_fits(
          member, branch_name(model_, layers),
          extract_stage(model_.graph, model_.cuts, block.begin, block.end, layers), batch));
    return row;
  }

  // That a piece doesn't fit is a result, also where the worker died of it.
  PieceMeasurement measure_if_it_fits(const FleetMember& member, const std::string& name, const Graph& stage,
                                      std::int64_t batch) {
    step(fmt::format("{} on {}{}", name, member.device.name, of_batch(batch)));
    try {
      return {measure(member, stage, batch), ""};
    } catch (const Error& error) {
      return {std::nullopt, is_lost(error) ? fleet_.restart(member.device.name) : error.what()};
    }
  }

  // The longest runs of pieces that this device can hold at once, measured whole, against the sum of their
  // pieces.
  Fusion measure_fusion(const FleetMember& member, const std::vector<PieceMeasurement>& pieces, double wake,
                        std::int64_t batch) {
    step(fmt::format("all pieces on {}{}", member.device.name, of_batch(batch)));
    Fusion whole{0, 0};
    Fusion parts{0, 0};
    std::size_t begin = 0;
    while (begin < pieces.size()) {
      std::uint64_t memory = 0;
      Fusion sum{0, 0};
      std::size_t end = begin;
      const auto budget = static_cast<std::uint64_t>(static_cast<double>(member.device.free_memory) *
                                                     options_.memory_multiplier);
      while (end < pieces.size() && pieces[end].time) {
        memory += pieces[end].time->weight_bytes + pieces[end].time->activation_bytes;
        if (memory > budget && end > begin) break;
        sum.paused += std::max(pieces[end].time->median - wake, 0.0);
        sum.steady += pieces[end].time->steady;
        ++end;
      }
      if (end > begin + 1) {
        try {
          const PieceTime together =
              measure_range(member, model_.boundaries[begin], model_.boundaries[end], batch);
          whole.paused += std::max(together.median - wake, 0.0);
          whole.steady += together.steady;
          parts.paused += sum.paused;
          parts.steady += sum.steady;
        } catch (const Error& error) {
          if (is_lost(error)) fleet_.restart(member.device.name);
        }
      }
      begin = std::max(end, begin + 1);
    }
    return {parts.paused > 0 ? whole.paused / parts.paused : 1,
            parts.steady > 0 ? whole.steady / parts.steady : 1};
  }

  const SlicedModel& model_;
  Fleet& fleet_;
  const BenchmarkOptions& options_;
  const Progress& progress_;
  std::size_t done_ = 0;
  std::size_t all_ = 0;
  double flops_ = 0;  // of the whole model, for one row
};

}  // namespace

Benchmark measure_fleet(const SlicedModel& model, const std::string& model_hash, Fleet& fleet,
                        const BenchmarkOptions& options, const Progress& progress) {
  return Session(model, fleet, options, progress).run(model_hash);
}

}  // namespace lamina
