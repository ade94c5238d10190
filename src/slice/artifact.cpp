#include "slice/artifact.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/new_directory.h"
#include "base/sha256.h"
#include "graph/safetensors.h"
#include "graph/serialize.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace lamina {

namespace {

constexpr std::string_view kFormat = "lamina-sliced-model";
constexpr std::int64_t kVersion = 1;
constexpr std::uint64_t kMaxModelFile = 256U << 20U;

std::filesystem::path model_file(const std::filesystem::path& directory) { return directory / "model.json"; }
std::filesystem::path weights_file(const std::filesystem::path& directory) {
  return directory / "weights.safetensors";
}

// Files that this program itself puts beside a sliced model.
const std::set<std::string>& own_files() {
  static const std::set<std::string> own = {"model.json", "weights.safetensors", "benchmark.json",
                                            "plan.json"};
  return own;
}

bool is_sliced_model(const std::filesystem::path& directory) {
  try {
    const std::string where = model_file(directory).string();
    return json_string(parse_json(read_file(where, kMaxModelFile), where), "format", where) == kFormat;
  } catch (const Error&) {
    return false;
  }
}

// A directory is replaced only where nothing of another's can be lost.
void expect_replaceable(const std::filesystem::path& directory) {
  if (!std::filesystem::exists(directory)) return;
  if (!std::filesystem::is_directory(directory)) {
    fail(ErrorCode::already_exists, "'{}' is a file, expected a directory or nothing", directory.string());
  }
  bool empty = true;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    empty = false;
    if (!own_files().contains(entry.path().filename().string())) {
      fail(ErrorCode::already_exists,
           "'{}' holds '{}', which is not of a sliced model; choose another directory", directory.string(),
           entry.path().filename().string());
    }
  }
  if (!empty && !is_sliced_model(directory)) {
    fail(ErrorCode::already_exists, "'{}' is not empty and no sliced model; choose another directory",
         directory.string());
  }
}

// Where the directory will stand: "DIR/", "DIR" and a link to it are one place.
std::filesystem::path find_place(const std::filesystem::path& directory) {
  try {
    std::filesystem::path place = std::filesystem::weakly_canonical(std::filesystem::absolute(directory));
    if (!place.has_filename()) place = place.parent_path();
    expect_replaceable(place);
    return place;
  } catch (const std::filesystem::filesystem_error& error) {
    fail(ErrorCode::io, "can't write to '{}': {}", directory.string(), error.what());
  }
}

std::string model_text(const SlicedModel& model) {
  Json blocks = Json::array();
  for (const BranchBlock& block : model.blocks)
    blocks.push_back({{"begin", block.begin}, {"end", block.end}, {"branches", block.branches}});
  const Json json = {{"format", kFormat},
                     {"version", kVersion},
                     {"boundaries", model.boundaries},
                     {"blocks", blocks},
                     {"graph", to_json(model.graph, model.hashes)}};
  try {
    return json.dump(1);
  } catch (const Json::exception& error) {
    fail(ErrorCode::invalid_argument, "a name in model '{}' is not UTF-8: {}", model.graph.name(),
         error.what());
  }
}

std::vector<std::size_t> read_boundaries(const Json& json, std::size_t last, const std::string& where) {
  std::vector<std::size_t> boundaries;
  for (const std::int64_t position : json_integers(json, "boundaries", where)) {
    const bool in_order =
        position >= 0 && (boundaries.empty() || static_cast<std::size_t>(position) > boundaries.back());
    if (!in_order) fail(ErrorCode::corrupt, "{}: boundary {} is out of order", where, position);
    boundaries.push_back(static_cast<std::size_t>(position));
  }
  if (boundaries.size() < 2 || boundaries.front() != 0 || boundaries.back() != last) {
    fail(ErrorCode::corrupt, "{}: boundaries must go from 0 to {}", where, last);
  }
  return boundaries;
}

// Files from before there were blocks lack them.
std::vector<BranchBlock> read_blocks(const Json& json, const SlicedModel& model, const std::string& where) {
  std::vector<BranchBlock> blocks;
  if (!json.contains("blocks")) return blocks;
  for (const Json& entry : json_array(json, "blocks", where)) {
    BranchBlock block{json_size(entry, "begin", where), json_size(entry, "end", where), {}};
    for (const Json& branch : json_array(entry, "branches", where)) {
      auto& layers = block.branches.emplace_back();
      for (const std::int64_t layer : json_integers({{"branch", branch}}, "branch", where)) {
        if (layer < 0 || static_cast<std::size_t>(layer) >= model.graph.layers().size())
          fail(ErrorCode::corrupt, "{}: a branch of layer {}, which there is not", where, layer);
        layers.push_back(static_cast<LayerId>(layer));
      }
    }
    const bool apart = blocks.empty() || block.begin > blocks.back().end;
    for (const std::size_t position : {block.begin, block.end}) {
      if (!apart || !std::binary_search(model.boundaries.begin(), model.boundaries.end(), position))
        fail(ErrorCode::corrupt, "{}: the block from cut {} to {} is out of place", where, block.begin,
             block.end);
    }
    try {
      check_block(model.graph, model.cuts, block);
    } catch (const Error& error) {
      fail(ErrorCode::corrupt, "{}: {}", where, error.what());
    }
    blocks.push_back(std::move(block));
  }
  return blocks;
}

// With the ends of blocks, where they are not among them.
std::vector<std::size_t> with_ends(std::vector<std::size_t> boundaries,
                                   const std::vector<BranchBlock>& blocks) {
  for (const BranchBlock& block : blocks) boundaries.insert(boundaries.end(), {block.begin, block.end});
  std::sort(boundaries.begin(), boundaries.end());
  boundaries.erase(std::unique(boundaries.begin(), boundaries.end()), boundaries.end());
  return boundaries;
}

}  // namespace

SlicedModel slice_model(Graph graph) {
  if (graph.layers().empty())
    fail(ErrorCode::invalid_argument, "model '{}' has no layers to cut", graph.name());
  if (graph.inputs().empty())
    fail(ErrorCode::invalid_argument, "model '{}' has no input that could cross a cut", graph.name());
  SlicedModel model{std::move(graph), {}, {}, {}, {}};
  // A weight that stands twice in the file is hashed once.
  std::map<std::pair<const std::byte*, std::size_t>, std::string> known;
  for (const Weight& weight : model.graph.weights()) {
    std::string& hash = known[{weight.data.data().data(), weight.data.data().size()}];
    if (hash.empty()) hash = content_hash(weight.data);
    model.hashes.push_back(hash);
  }
  model.cuts = find_cuts(model.graph);
  model.blocks = find_blocks(model.graph, model.cuts);
  model.boundaries = with_ends(useful_cuts(model.graph, model.cuts), model.blocks);
  return model;
}

void save_sliced_model(const std::filesystem::path& directory, const SlicedModel& model) {
  NewDirectory fresh(find_place(directory));
  std::map<std::string, const Tensor*> distinct;
  for (std::size_t i = 0; i < model.hashes.size(); ++i) {
    distinct.emplace(model.hashes[i], &model.graph.weights()[i].data);
  }
  std::vector<NamedTensor> tensors;
  tensors.reserve(distinct.size());
  for (const auto& [hash, tensor] : distinct) tensors.push_back({hash, *tensor});
  save_safetensors(weights_file(fresh.path()), tensors);
  write_file(model_file(fresh.path()), model_text(model));
  fresh.commit();
}

SlicedModel load_sliced_model(const std::filesystem::path& directory) {
  const std::string where = model_file(directory).string();
  std::error_code unreadable;
  if (!std::filesystem::exists(model_file(directory), unreadable) && !unreadable) {
    fail(ErrorCode::not_found, "'{}' is no sliced model: it lacks model.json, which 'lamina slice' writes",
         directory.string());
  }
  const Json json = parse_json(read_file(model_file(directory), kMaxModelFile), where);
  if (json_string(json, "format", where) != kFormat || json_integer(json, "version", where) != kVersion) {
    fail(ErrorCode::corrupt, "{}: format '{}' version {}, expected {} version {}", where,
         json_string(json, "format", where), json_integer(json, "version", where), kFormat, kVersion);
  }
  const std::map<std::string, Tensor> weights = load_safetensors(weights_file(directory));
  const auto weight = [&](const std::string& hash) {
    const auto found = weights.find(hash);
    if (found == weights.end())
      fail(ErrorCode::corrupt, "{}: weight {} is not in weights.safetensors", where, hash);
    return found->second.data();
  };
  SlicedModel model{graph_from_json(json_object(json, "graph", where), weight, where), {}, {}, {}, {}};
  for (const Json& entry : json_array(json_object(json, "graph", where), "weights", where)) {
    model.hashes.push_back(json_string(entry, "sha256", where));
  }
  model.cuts = find_cuts(model.graph);
  model.boundaries = read_boundaries(json, model.cuts.size() - 1, where);
  model.blocks = read_blocks(json, model, where);
  return model;
}

std::string hash_of_model(const std::filesystem::path& directory) {
  return sha256(map_file(model_file(directory)).bytes());
}

void check_weights(const std::filesystem::path& directory, const SlicedModel& model) {
  std::set<std::string> checked;
  for (std::size_t i = 0; i < model.hashes.size(); ++i) {
    const Weight& weight = model.graph.weights()[i];
    if (!checked.insert(model.hashes[i]).second) continue;
    const std::string actual = content_hash(weight.data);
    if (actual != model.hashes[i]) {
      fail(ErrorCode::corrupt,
           "{}: weight '{}' is damaged: its SHA-256 is {}, expected {}; slice the model anew",
           weights_file(directory).string(), weight.name, actual, model.hashes[i]);
    }
  }
}

namespace {

std::string name_of(const SlicedModel& model, std::size_t first_layer, std::size_t last_layer) {
  const std::string& first = model.graph.layers()[first_layer].name;
  const std::string& last = model.graph.layers()[last_layer].name;
  return first == last ? first : first + " … " + last;
}

}  // namespace

std::string piece_name(const SlicedModel& model, std::size_t piece) {
  return name_of(model, model.boundaries.at(piece), model.boundaries.at(piece + 1) - 1);
}

std::string branch_name(const SlicedModel& model, const std::vector<LayerId>& layers) {
  return name_of(model, layers.front(), layers.back());
}

}  // namespace lamina
