#include "profile/benchmark.h"

#include "base/error.h"
#include "base/file.h"
#include "profile/figures_json.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/ranges.h>

namespace lamina {

namespace {

constexpr std::string_view kFormat = "lamina-benchmark";
constexpr std::int64_t kVersion = 4;
constexpr std::uint64_t kMaxBenchmarkFile = 256U << 20U;

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
  if (!(benchmark.memory_multiplier > 0) || benchmark.memory_multiplier > 1) {
    fail(ErrorCode::corrupt, "{}: 'memory_multiplier' is {}, expected more than 0 and at most 1", where,
         benchmark.memory_multiplier);
  }
  std::set<std::string> names;
  for (const Json& device : json_array(json, "devices", where)) {
    benchmark.devices.push_back(device_from_json(device, where));
    if (!names.insert(benchmark.devices.back().name).second)
      fail(ErrorCode::corrupt, "{}: two devices are named '{}'", where, benchmark.devices.back().name);
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
  const std::vector<DeviceInfo>& devices = benchmark.devices;
  if (devices.empty() || benchmark.pieces.empty())
    fail(ErrorCode::corrupt, "{}: {} devices and {} pieces", where, devices.size(), benchmark.pieces.size());
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
  for (const Json& row : sized_array(json_member(json, "links", where), devices.size(), "links", where)) {
    const std::string& from = devices[benchmark.links.size()].name;
    auto& cells = benchmark.links.emplace_back();
    for (const Json& cell :
         sized_array(row, devices.size(), "links", fmt::format("{}, device '{}'", where, from)))
      cells.push_back(link_from_json(
          cell, fmt::format("{}, link from '{}' to '{}'", where, from, devices[cells.size()].name)));
  }
  for (const Json& messages :
       sized_array(json_member(json, "messages", where), devices.size(), "messages", where))
    benchmark.messages.push_back(messages_from_json(
        messages, fmt::format("{}, device '{}'", where, devices[benchmark.messages.size()].name)));
  for (const Json& row : sized_array(json_member(json, "formats", where), devices.size(), "formats", where)) {
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
