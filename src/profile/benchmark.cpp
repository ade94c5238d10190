#include "profile/benchmark.h"

#include "base/error.h"
#include "base/file.h"

namespace lamina {

namespace {

constexpr std::string_view kFormat = "lamina-benchmark";
constexpr std::int64_t kVersion = 3;
constexpr std::uint64_t kMaxBenchmarkFile = 256U << 20U;

double positive_number(const Json& json, const std::string& key, const std::string& where) {
  const double value = json_number(json, key, where);
  if (value < 0) fail(ErrorCode::corrupt, "{}: '{}' is {}, expected at least 0", where, key, value);
  return value;
}

Json to_json(const PieceMeasurement& measurement) {
  if (!measurement.time) return {{"failure", measurement.failure}};
  const PieceTime& time = *measurement.time;
  return {{"median", time.median},
          {"p10", time.p10},
          {"p90", time.p90},
          {"activation_bytes", time.activation_bytes},
          {"weight_bytes", time.weight_bytes},
          {"steady", time.steady}};
}

PieceMeasurement measurement_from_json(const Json& json, const std::string& where) {
  if (json.is_object() && json.contains("failure"))
    return {std::nullopt, json_string(json, "failure", where)};
  return {PieceTime{positive_number(json, "median", where), positive_number(json, "p10", where),
                    positive_number(json, "p90", where), json_size(json, "activation_bytes", where),
                    json_size(json, "weight_bytes", where), positive_number(json, "steady", where)},
          ""};
}

Json to_json(const Link& link) {
  return {{"round_trip_min", link.round_trip_min},
          {"round_trip_mean", link.round_trip_mean},
          {"round_trip_max", link.round_trip_max},
          {"bandwidth", link.bandwidth}};
}

Link link_from_json(const Json& json, const std::string& where) {
  return {positive_number(json, "round_trip_min", where), positive_number(json, "round_trip_mean", where),
          positive_number(json, "round_trip_max", where), positive_number(json, "bandwidth", where)};
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

}  // namespace

Json to_json(const DeviceInfo& device) {
  return {{"name", device.name}, {"address", device.address}, {"threads", device.threads},
          {"cpus", device.cpus}, {"memory", device.memory},   {"free_memory", device.free_memory}};
}

DeviceInfo device_from_json(const Json& json, const std::string& where) {
  DeviceInfo device;
  device.name = json_string(json, "name", where);
  device.address = json_string(json, "address", where);
  const std::int64_t threads = json_integer(json, "threads", where);
  if (threads < 0 || threads > 100'000)
    fail(ErrorCode::corrupt, "{}: device '{}' has {} threads", where, device.name, threads);
  device.threads = static_cast<int>(threads);
  // Files from before there were shares lack it.
  if (json.contains("cpus")) device.cpus = positive_number(json, "cpus", where);
  device.memory = json_size(json, "memory", where);
  device.free_memory = json_size(json, "free_memory", where);
  return device;
}

Json to_json(const Benchmark& benchmark) {
  Json json = {{"format", kFormat},
               {"version", kVersion},
               {"model", benchmark.model},
               {"model_hash", benchmark.model_hash},
               {"engine", benchmark.engine},
               {"batch", benchmark.batch},
               {"memory_multiplier", benchmark.memory_multiplier},
               {"cut_bytes", benchmark.cut_bytes},
               {"wake", benchmark.wake},
               {"fusion", benchmark.fusion},
               {"steady_fusion", benchmark.steady_fusion},
               {"devices", Json::array()},
               {"pieces", Json::array()},
               {"measurements", Json::array()},
               {"links", Json::array()}};
  for (const DeviceInfo& device : benchmark.devices) json["devices"].push_back(to_json(device));
  for (const PieceInfo& piece : benchmark.pieces) {
    json["pieces"].push_back({{"name", piece.name},
                              {"begin", piece.begin},
                              {"end", piece.end},
                              {"weight_bytes", piece.weight_bytes}});
  }
  for (const auto& row : benchmark.measurements) {
    Json cells = Json::array();
    for (const PieceMeasurement& cell : row) cells.push_back(to_json(cell));
    json["measurements"].push_back(std::move(cells));
  }
  for (const auto& row : benchmark.links) {
    Json cells = Json::array();
    for (const Link& cell : row) cells.push_back(to_json(cell));
    json["links"].push_back(std::move(cells));
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
  benchmark.batch = json_integer(json, "batch", where);
  benchmark.memory_multiplier = positive_number(json, "memory_multiplier", where);
  if (benchmark.batch < 1)
    fail(ErrorCode::corrupt, "{}: batch is {}, expected at least 1", where, benchmark.batch);
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
  for (const std::int64_t bytes : json_integers(json, "cut_bytes", where)) {
    if (bytes < 0) fail(ErrorCode::corrupt, "{}: a cut of {} bytes", where, bytes);
    benchmark.cut_bytes.push_back(static_cast<std::uint64_t>(bytes));
  }
  sized_array(json["cut_bytes"], pieces + 1, "cut_bytes", where);
  const auto figures_of_devices = [&](const std::string& key) {
    std::vector<double> figures;
    for (const Json& figure : sized_array(json_member(json, key, where), devices, key, where))
      figures.push_back(positive_number({{key, figure}}, key, where));
    return figures;
  };
  benchmark.wake = figures_of_devices("wake");
  benchmark.fusion = figures_of_devices("fusion");
  benchmark.steady_fusion = figures_of_devices("steady_fusion");
  for (const Json& row :
       sized_array(json_member(json, "measurements", where), devices, "measurements", where)) {
    auto& cells = benchmark.measurements.emplace_back();
    for (const Json& cell : sized_array(row, pieces, "measurements", where))
      cells.push_back(measurement_from_json(cell, where));
  }
  for (const Json& row : sized_array(json_member(json, "links", where), devices, "links", where)) {
    auto& cells = benchmark.links.emplace_back();
    for (const Json& cell : sized_array(row, devices, "links", where))
      cells.push_back(link_from_json(cell, where));
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
