#include "support/scission_figures.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace lamina {

namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{16} << 20U;

std::vector<ScissionBlock> read_blocks(const Json& blocks, const std::string& where) {
  std::vector<ScissionBlock> read;
  for (const Json& block : blocks) {
    const bool sound = block.is_array() && block.size() == 4 && block[0].is_number_unsigned() &&
                       block[1].is_number_unsigned() && block[2].is_number() && block[3].is_number_unsigned();
    if (!sound) {
      fail(ErrorCode::corrupt, "{}: a block is {}, expected [first layer, last layer, seconds, bytes]", where,
           json_excerpt(block));
    }
    read.push_back({block[0].get<std::size_t>(), block[1].get<std::size_t>(), block[2].get<double>(),
                    block[3].get<std::uint64_t>()});
  }
  if (read.empty()) fail(ErrorCode::corrupt, "{}: a model has no blocks", where);
  return read;
}

void expect_same_blocks(const ScissionMachine& a, const ScissionMachine& b, const std::string& where) {
  for (const auto& [model, blocks] : a.models) {
    const auto other = b.models.find(model);
    bool same = other != b.models.end() && other->second.size() == blocks.size();
    for (std::size_t i = 0; same && i < blocks.size(); ++i) {
      same = blocks[i].last_layer == other->second[i].last_layer &&
             blocks[i].output_bytes == other->second[i].output_bytes;
    }
    if (!same) fail(ErrorCode::corrupt, "{}: '{}' and '{}' cut {} differently", where, a.name, b.name, model);
  }
}

}  // namespace

ScissionFigures read_scission_figures(const std::filesystem::path& path) {
  const std::string where = path.string();
  const Json json = parse_json(read_file(path, kMostBytes), where);
  ScissionFigures figures;
  for (const auto& [name, platform] : json_object(json, "platforms", where).items()) {
    ScissionMachine machine{name, json_string(platform, "tier", where), {}};
    for (const auto& [model, blocks] : json_object(platform, "blocks", where).items())
      machine.models[model] = read_blocks(blocks, where);
    figures.machines.push_back(std::move(machine));
    expect_same_blocks(figures.machines.front(), figures.machines.back(), where);
  }
  for (const auto& [name, links] : json_object(json, "networks", where).items()) {
    for (const Json& link : links) {
      const bool sound = link.is_array() && link.size() == 4 && link[0].is_string() && link[1].is_string() &&
                         link[2].is_number() && link[3].is_number();
      if (!sound) {
        fail(ErrorCode::corrupt, "{}: a link is {}, expected [from, to, ping, bandwidth]", where,
             json_excerpt(link));
      }
      figures.networks[name][{link[0].get<std::string>(), link[1].get<std::string>()}] = {
          link[2].get<double>(), link[3].get<double>()};
    }
  }
  return figures;
}

}  // namespace lamina
