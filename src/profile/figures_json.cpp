#include "profile/figures_json.h"

#include "base/error.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace lamina {

namespace {

// Why there are no figures; nothing where there are.
std::optional<std::string> failure_of(const Json& json, const std::string& where) {
  if (json.is_null()) return "no figures";
  if (!json.is_object() || !json.contains("failure")) return std::nullopt;
  const std::string failure = json_string(json, "failure", where);
  return failure.empty() ? "nobody said why" : failure;
}

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
  if (const auto failure = failure_of(json, where)) return {std::nullopt, *failure};
  PieceTime time{json_magnitude(json, "median", where),  json_magnitude(json, "p10", where),
                 json_magnitude(json, "p90", where),     json_size(json, "activation_bytes", where),
                 json_size(json, "weight_bytes", where), json_magnitude(json, "steady", where)};
  // Files from before it was measured lack it.
  if (json.contains("load")) time.load = json_magnitude(json, "load", where);
  return {time, ""};
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

std::vector<std::vector<PieceMeasurement>> measurements_from_json(const Json& json,
                                                                  const std::vector<DeviceInfo>& devices,
                                                                  const std::vector<std::string>& parts,
                                                                  const std::string& where) {
  std::vector<std::vector<PieceMeasurement>> rows;
  for (const Json& row :
       sized_array(json_member(json, "measurements", where), devices.size(), "measurements", where)) {
    const std::string& device = devices[rows.size()].name;
    auto& cells = rows.emplace_back();
    const std::string of_device = fmt::format("{}, device '{}'", where, device);
    for (const Json& cell : sized_array(row, parts.size(), "measurements", of_device))
      cells.push_back(
          measurement_from_json(cell, fmt::format("{}, '{}' on '{}'", where, parts[cells.size()], device)));
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

BlockInfo block_from_json(const Json& json, const std::vector<DeviceInfo>& devices,
                          const std::string& where) {
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
  std::vector<std::string> names;
  for (const BranchInfo& branch : block.branches) names.push_back(branch.name);
  block.measurements = measurements_from_json(json, devices, names, where);
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

}  // namespace

const Json& sized_array(const Json& value, std::size_t count, const std::string& what,
                        const std::string& where) {
  if (!value.is_array() || value.size() != count) {
    fail(ErrorCode::corrupt, "{}: '{}' is {}, expected a list of {}", where, what, json_excerpt(value),
         count);
  }
  return value;
}

std::vector<double> figures_of_devices(const Json& json, const std::string& key,
                                       const std::vector<DeviceInfo>& devices, const std::string& where) {
  std::vector<double> figures;
  for (const Json& figure : sized_array(json_member(json, key, where), devices.size(), key, where))
    figures.push_back(json_magnitude({{key, figure}}, key,
                                     fmt::format("{}, device '{}'", where, devices[figures.size()].name)));
  return figures;
}

Json to_json(const Link& link) {
  if (!link.failure.empty()) return {{"failure", link.failure}};
  return {{"round_trip_min", link.round_trip_min},
          {"round_trip_mean", link.round_trip_mean},
          {"round_trip_max", link.round_trip_max},
          {"bandwidth", link.bandwidth}};
}

Link link_from_json(const Json& json, const std::string& where) {
  if (const auto failure = failure_of(json, where)) return {.failure = *failure};
  return {json_magnitude(json, "round_trip_min", where), json_magnitude(json, "round_trip_mean", where),
          json_magnitude(json, "round_trip_max", where), json_magnitude(json, "bandwidth", where)};
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

BatchFigures figures_from_json(const Json& json, const std::vector<DeviceInfo>& devices,
                               const std::vector<PieceInfo>& pieces, const std::string& where) {
  BatchFigures figures;
  figures.batch = json_integer(json, "batch", where);
  if (figures.batch < 1)
    fail(ErrorCode::corrupt, "{}: batch is {}, expected at least 1", where, figures.batch);
  figures.cut_bytes = sizes_from_json(json, "cut_bytes", where);
  sized_array(json["cut_bytes"], pieces.size() + 1, "cut_bytes", where);
  figures.fusion = figures_of_devices(json, "fusion", devices, where);
  figures.steady_fusion = figures_of_devices(json, "steady_fusion", devices, where);
  std::vector<std::string> names;
  for (const PieceInfo& piece : pieces) names.push_back(piece.name);
  figures.measurements = measurements_from_json(json, devices, names, where);
  // Files from before there were blocks lack them.
  if (json.contains("blocks")) {
    for (const Json& block : json_array(json, "blocks", where))
      figures.blocks.push_back(block_from_json(block, devices, where));
    check_places(figures.blocks, pieces, where);
  }
  return figures;
}

}  // namespace lamina
