#include "profile/benchmark.h"

#include "base/error.h"
#include "base/file.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/ranges.h>

namespace lamina {

namespace {

constexpr std::string_view kFormat = "lamina-benchmark";
constexpr std::int64_t kVersion = 4;
constexpr std::uint64_t kMaxBenchmarkFile = 256U << 20U;

Json to_json(const PieceMeasurement& measurement) {
  if (!measurement.time) return {{"failure", measurement.failure}};
  const PieceTime& time = *measurement.time;
  return {{"median", time.median},
          {"p10", time.p10},
          {"p90", time.p90},
          {"activation_bytes", time.activation_bytes},
          {"weight_bytes", time.weight_bytes},
          {"steady", time.steady},
          {"load", time.load}};
}

PieceMeasurement measurement_from_json(const Json& json, const std::string& where) {
  if (json.is_object() && json.contains("failure"))
    return {std::nullopt, json_string(json, "failure", where)};
  PieceTime time{json_magnitude(json, "median", where),  json_magnitude(json, "p10", where),
                 json_magnitude(json, "p90", where),     json_size(json, "activation_bytes", where),
                 json_size(json, "weight_bytes", where), json_magnitude(json, "steady", where)};
  // Files from before it was measured lack it.
  if (json.contains("load")) time.load = json_magnitude(json, "load", where);
  return {time, ""};
}

Json to_json(const Link& link) {
  return {{"round_trip_min", link.round_trip_min},
          {"round_trip_mean", link.round_trip_mean},
          {"round_trip_max", link.round_trip_max},
          {"bandwidth", link.bandwidth}};
}

Link link_from_json(const Json& json, const std::string& where) {
  return {json_magnitude(json, "round_trip_min", where), json_magnitude(json, "round_trip_mean", where),
          json_magnitude(json, "round_trip_max", where), json_magnitude(json, "bandwidth", where)};
}

Json to_json(const MessageTime& time) {
  return {{"send", time.send},
          {"send_byte", time.send_byte},
          {"receive", time.receive},
          {"receive_byte", time.receive_byte}};
}

MessageTime messages_from_json(const Json& json, const std::string& where) {
  return {json_magnitude(json, "send", where), json_magnitude(json, "send_byte", where),
          json_magnitude(json, "receive", where), json_magnitude(json, "receive_byte", where)};
}

Json to_json(const FormatTime& time) {
  return {{"format", time.format}, {"narrow", time.narrow}, {"widen", time.widen}};
}

FormatTime format_from_json(const Json& json, const std::string& where) {
  return {json_string(json, "format", where), json_magnitude(json, "narrow", where),
          json_magnitude(json, "widen", where)};
}

// A list that must have `count` entries.
const Json& sized_array(const Json& value, std::size_t count, const std::string& what,
                        const std::string& where) {
  if (!value.is_array() || value.size() != count) {
    fail(ErrorCode::corrupt, "{}: '{}' is {}, expected a list of {}", where, what, json_excerpt(value),
         count);
  }
  return value;
}

Json to_json(const std::vector<std::vector<PieceMeasurement>>& rows) {
  Json json = Json::array();
  for (const auto& row : rows) {
    Json cells = Json::array();
    for (const PieceMeasurement& cell : row) cells.push_back(to_json(cell));
    json.push_back(std::move(cells));
  }
  return json;
}

std::vector<std::vector<PieceMeasurement>> measurements_from_json(const Json& json, std::size_t devices,
                                                                  std::size_t pieces,
                                                                  const std::string& where) {
  std::vector<std::vector<PieceMeasurement>> rows;
  for (const Json& row :
       sized_array(json_member(json, "measurements", where), devices, "measurements", where)) {
    auto& cells = rows.emplace_back();
    for (const Json& cell : sized_array(row, pieces, "measurements", where))
      cells.push_back(measurement_from_json(cell, where));
  }
  return rows;
}

std::vector<std::uint64_t> sizes_from_json(const Json& json, const std::string& key,
                                           const std::string& where) {
  std::vector<std::uint64_t> sizes;
  for (const std::int64_t size : json_integers(json, key, where)) {
    if (size < 0) fail(ErrorCode::corrupt, "{}: '{}' has {}, expected at least 0", where, key, size);
    sizes.push_back(static_cast<std::uint64_t>(size));
  }
  return sizes;
}

Json to_json(const BlockInfo& block) {
  Json branches = Json::array();
  for (const BranchInfo& branch : block.branches) {
    branches.push_back({{"name", branch.name},
                        {"inputs", branch.inputs},
                        {"output_bytes", branch.output_bytes},
                        {"weight_bytes", branch.weight_bytes}});
  }
  return {{"begin", block.begin},
          {"end", block.end},
          {"input_bytes", block.input_bytes},
          {"direct_bytes", block.direct_bytes},
          {"branches", branches},
          {"measurements", to_json(block.measurements)}};
}

BlockInfo block_from_json(const Json& json, std::size_t devices, const std::string& where) {
  BlockInfo block;
  block.begin = json_size(json, "begin", where);
  block.end = json_size(json, "end", where);
  block.input_bytes = sizes_from_json(json, "input_bytes", where);
  block.direct_bytes = json_size(json, "direct_bytes", where);
  for (const Json& entry : json_array(json, "branches", where)) {
    BranchInfo& branch = block.branches.emplace_back();
    branch.name = json_string(entry, "name", where);
    branch.output_bytes = json_size(entry, "output_bytes", where);
    branch.weight_bytes = json_size(entry, "weight_bytes", where);
    for (const std::uint64_t input : sizes_from_json(entry, "inputs", where)) {
      if (input >= block.input_bytes.size())
        fail(ErrorCode::corrupt, "{}: branch '{}' uses input {} of {}", where, branch.name, input,
             block.input_bytes.size());
      branch.inputs.push_back(input);
    }
  }
  if (block.branches.size() < 2)
    fail(ErrorCode::corrupt, "{}: a block of {} branches", where, block.branches.size());
  block.measurements = measurements_from_json(json, devices, block.branches.size(), where);
  return block;
}

// Blocks begin and end where pieces do, with a piece between two of them.
void check_places(const std::vector<BlockInfo>& blocks, const std::vector<PieceInfo>& pieces,
                  const std::string& where) {
  std::size_t reached = 0;
  for (const BlockInfo& block : blocks) {
    const auto is_piece = [&](std::size_t PieceInfo::*end, std::size_t position) {
      return std::any_of(pieces.begin(), pieces.end(),
                         [&](const PieceInfo& piece) { return piece.*end == position; });
    };
    const bool apart = &block == &blocks.front() || block.begin > reached;
    if (!apart || block.end <= block.begin || !is_piece(&PieceInfo::begin, block.begin) ||
        !is_piece(&PieceInfo::end, block.end)) {
      fail(ErrorCode::corrupt, "{}: the block from cut {} to {} is out of place", where, block.begin,
           block.end);
    }
    reached = block.end;
  }
}

Json figures_to_json(const BatchFigures& figures) {
  Json json = {{"batch", figures.batch},
               {"cut_bytes", figures.cut_bytes},
               {"fusion", figures.fusion},
               {"steady_fusion", figures.steady_fusion},
               {"measurements", to_json(figures.measurements)},
               {"blocks", Json::array()}};
  for (const BlockInfo& block : figures.blocks) json["blocks"].push_back(to_json(block));
  return json;
}

std::vector<double> figures_of_devices(const Json& json, const std::string& key, std::size_t devices,
                                       const std::string& where) {
  std::vector<double> figures;
  for (const Json& figure : sized_array(json_member(json, key, where), devices, key, where))
    figures.push_back(json_magnitude({{key, figure}}, key, where));
  return figures;
}

BatchFigures figures_from_json(const Json& json, std::size_t devices, const std::vector<PieceInfo>& pieces,
                               const std::string& where) {
  BatchFigures figures;
  figures.batch = json_integer(json, "batch", where);
  if (figures.batch < 1)
    fail(ErrorCode::corrupt, "{}: batch is {}, expected at least 1", where, figures.batch);
  figures.cut_bytes = sizes_from_json(json, "cut_bytes", where);
  sized_array(json["cut_bytes"], pieces.size() + 1, "cut_bytes", where);
  figures.fusion = figures_of_devices(json, "fusion", devices, where);
  figures.steady_fusion = figures_of_devices(json, "steady_fusion", devices, where);
  figures.measurements = measurements_from_json(json, devices, pieces.size(), where);
  // Files from before there were blocks lack them.
  if (json.contains("blocks")) {
    for (const Json& block : json_array(json, "blocks", where))
      figures.blocks.push_back(block_from_json(block, devices, where));
    check_places(figures.blocks, pieces, where);
  }
  return figures;
}

}  // namespace

std::vector<std::int64_t> batch_sizes(const Benchmark& benchmark) {
  std::vector<std::int64_t> sizes = {benchmark.batch};
  for (const BatchFigures& figures : benchmark.other_batches) sizes.push_back(figures.batch);
  std::sort(sizes.begin(), sizes.end());
  return sizes;
}

Benchmark at_batch(Benchmark benchmark, std::int64_t batch) {
  if (benchmark.batch == batch) return benchmark;
  for (BatchFigures& figures : benchmark.other_batches) {
    if (figures.batch != batch) continue;
    std::swap(figures, static_cast<BatchFigures&>(benchmark));
    return benchmark;
  }
  fail(ErrorCode::not_found, "batches of {} were not measured, only of {}", batch,
       fmt::join(batch_sizes(benchmark), ", "));
}

Json to_json(const DeviceInfo& device) {
  return {{"name", device.name},
          {"address", device.address},
          {"threads", device.threads},
          {"cpus", device.cpus},
          {"processors", device.processors},
          {"memory", device.memory},
          {"free_memory", device.free_memory}};
}

DeviceInfo device_from_json(const Json& json, const std::string& where) {
  DeviceInfo device;
  device.name = json_string(json, "name", where);
  device.address = json_string(json, "address", where);
  const std::int64_t threads = json_integer(json, "threads", where);
  if (threads < 0 || threads > 100'000)
    fail(ErrorCode::corrupt, "{}: device '{}' has {} threads", where, device.name, threads);
  device.threads = static_cast<int>(threads);
  if (json.contains("processors")) {
    const std::int64_t processors = json_integer(json, "processors", where);
    if (processors < 0 || processors > 100'000)
      fail(ErrorCode::corrupt, "{}: device '{}' has {} processors", where, device.name, processors);
    device.processors = static_cast<int>(processors);
  }
  // Files from before there were shares lack it.
  if (json.contains("cpus")) device.cpus = json_magnitude(json, "cpus", where);
  device.memory = json_size(json, "memory", where);
  device.free_memory = json_size(json, "free_memory", where);
  return device;
}

Json to_json(const Benchmark& benchmark) {
  Json json = figures_to_json(benchmark);
  json["format"] = kFormat;
  json["version"] = kVersion;
  json["model"] = benchmark.model;
  json["model_hash"] = benchmark.model_hash;
  json["engine"] = benchmark.engine;
  json["memory_multiplier"] = benchmark.memory_multiplier;
  json["wake"] = benchmark.wake;
  for (const char* list : {"devices", "pieces", "links", "other_batches", "messages", "formats"})
    json[list] = Json::array();
  for (const DeviceInfo& device : benchmark.devices) json["devices"].push_back(to_json(device));
  for (const PieceInfo& piece : benchmark.pieces) {
    json["pieces"].push_back({{"name", piece.name},
                              {"begin", piece.begin},
                              {"end", piece.end},
                              {"weight_bytes", piece.weight_bytes}});
  }
  for (const auto& row : benchmark.links) {
    Json cells = Json::array();
    for (const Link& cell : row) cells.push_back(to_json(cell));
    json["links"].push_back(std::move(cells));
  }
  for (const BatchFigures& figures : benchmark.other_batches)
    json["other_batches"].push_back(figures_to_json(figures));
  for (const MessageTime& time : benchmark.messages) json["messages"].push_back(to_json(time));
  for (const auto& row : benchmark.formats) {
    Json cells = Json::array();
    for (const FormatTime& cell : row) cells.push_back(to_json(cell));
    json["formats"].push_back(std::move(cells));
  }
  return json;
}

Benchmark benchmark_from_json(const Json& json, const std::string& where) {
  if (json_string(json, "format", where) != kFormat || json_integer(json, "version", where) != kVersion) {
    fail(ErrorCode::corrupt, "{}: format '{}' version {}, expected {} version {}", where,
         json_string(json, "format", where), json_integer(json, "version", where), kFormat, kVersion);
  }
  Benchmark benchmark;
  benchmark.model = json_string(json, "model", where);
  benchmark.model_hash = json_string(json, "model_hash", where);
  benchmark.engine = json_string(json, "engine", where);
  benchmark.memory_multiplier = json_magnitude(json, "memory_multiplier", where);
  for (const Json& device : json_array(json, "devices", where)) {
    benchmark.devices.push_back(device_from_json(device, where));
  }
  std::size_t reached = 0;
  for (const Json& piece : json_array(json, "pieces", where)) {
    const PieceInfo info{json_string(piece, "name", where), json_size(piece, "begin", where),
                         json_size(piece, "end", where), json_size(piece, "weight_bytes", where)};
    if (info.begin != reached || info.end <= info.begin) {
      fail(ErrorCode::corrupt, "{}: piece '{}' goes from cut {} to {} after {}", where, info.name, info.begin,
           info.end, reached);
    }
    reached = info.end;
    benchmark.pieces.push_back(info);
  }
  const std::size_t devices = benchmark.devices.size();
  const std::size_t pieces = benchmark.pieces.size();
  if (devices == 0 || pieces == 0)
    fail(ErrorCode::corrupt, "{}: {} devices and {} pieces", where, devices, pieces);
  static_cast<BatchFigures&>(benchmark) = figures_from_json(json, devices, benchmark.pieces, where);
  benchmark.wake = figures_of_devices(json, "wake", devices, where);
  std::set<std::int64_t> sizes = {benchmark.batch};
  // Files from before there were several sizes lack it.
  if (json.contains("other_batches")) {
    for (const Json& other : json_array(json, "other_batches", where)) {
      benchmark.other_batches.push_back(figures_from_json(other, devices, benchmark.pieces, where));
      if (!sizes.insert(benchmark.other_batches.back().batch).second)
        fail(ErrorCode::corrupt, "{}: batches of {} twice", where, benchmark.other_batches.back().batch);
    }
  }
  for (const Json& row : sized_array(json_member(json, "links", where), devices, "links", where)) {
    auto& cells = benchmark.links.emplace_back();
    for (const Json& cell : sized_array(row, devices, "links", where))
      cells.push_back(link_from_json(cell, where));
  }
  for (const Json& messages : sized_array(json_member(json, "messages", where), devices, "messages", where))
    benchmark.messages.push_back(messages_from_json(messages, where));
  for (const Json& row : sized_array(json_member(json, "formats", where), devices, "formats", where)) {
    if (!row.is_array()) fail(ErrorCode::corrupt, "{}: 'formats' of a device are no list", where);
    auto& cells = benchmark.formats.emplace_back();
    for (const Json& cell : row) cells.push_back(format_from_json(cell, where));
  }
  return benchmark;
}

void save_benchmark(const std::filesystem::path& directory, const Benchmark& benchmark) {
  write_file(directory / "benchmark.json", to_json(benchmark).dump(1));
}

Benchmark load_benchmark(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "benchmark.json";
  if (!std::filesystem::exists(path)) {
    fail(ErrorCode::not_found, "'{}' has no benchmark.json, which 'lamina benchmark' writes",
         directory.string());
  }
  return benchmark_from_json(parse_json(read_file(path, kMaxBenchmarkFile), path.string()), path.string());
}

}  // namespace lamina
