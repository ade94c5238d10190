#include "slice/artifact.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "graph/safetensors.h"
#include "graph/serialize.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <unistd.h>

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
  static const std::set<std::string> kOwn = {"model.json", "weights.safetensors", "benchmark.json",
                                             "plan.json"};
  return kOwn;
}

// A directory under construction beside its final place, removed unless it gets there.
class NewDirectory {
 public:
  explicit NewDirectory(std::filesystem::path path) : final_(std::move(path)) {
    std::string pattern = final_.string() + ".XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) {
      fail_with_errno(errno, fmt::format("can't create '{}'", final_.string()));
    }
    partial_ = pattern;
    std::filesystem::permissions(partial_, std::filesystem::perms(0755));
  }
  ~NewDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(partial_, ignored);
  }
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;

  const std::filesystem::path& path() const { return partial_; }

  // Takes the place of what was there.
  void commit() {
    const std::filesystem::path old = partial_.string() + ".old";
    std::error_code error;
    if (std::filesystem::exists(final_)) {
      std::filesystem::rename(final_, old, error);
      if (error) fail(ErrorCode::io, "can't replace '{}': {}", final_.string(), error.message());
    }
    std::filesystem::rename(partial_, final_, error);
    if (error) {
      std::error_code ignored;
      std::filesystem::rename(old, final_, ignored);
      fail(ErrorCode::io, "can't put '{}' in place: {}", final_.string(), error.message());
    }
    std::filesystem::remove_all(old, error);
  }

 private:
  std::filesystem::path final_;
  std::filesystem::path partial_;
};

void expect_replaceable(const std::filesystem::path& directory) {
  if (!std::filesystem::exists(directory)) return;
  if (!std::filesystem::is_directory(directory)) {
    fail(ErrorCode::already_exists, "'{}' is a file, expected a directory or nothing", directory.string());
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (!own_files().contains(entry.path().filename().string())) {
      fail(ErrorCode::already_exists,
           "'{}' holds '{}', which is not of a sliced model; choose another directory", directory.string(),
           entry.path().filename().string());
    }
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

}  // namespace

SlicedModel slice_model(Graph graph) {
  if (graph.layers().empty())
    fail(ErrorCode::invalid_argument, "model '{}' has no layers to cut", graph.name());
  SlicedModel model{std::move(graph), {}, {}, {}};
  // A weight that stands twice in the file is hashed once.
  std::map<std::pair<const std::byte*, std::size_t>, std::string> known;
  for (const Weight& weight : model.graph.weights()) {
    std::string& hash = known[{weight.data.data().data(), weight.data.data().size()}];
    if (hash.empty()) hash = content_hash(weight.data);
    model.hashes.push_back(hash);
  }
  model.cuts = find_cuts(model.graph);
  model.boundaries = useful_cuts(model.graph, model.cuts);
  return model;
}

void save_sliced_model(const std::filesystem::path& directory, const SlicedModel& model) {
  // "DIR/" and "DIR" are one place.
  const std::filesystem::path place = directory.has_filename() ? directory : directory.parent_path();
  expect_replaceable(place);
  NewDirectory fresh(place);
  std::map<std::string, const Tensor*> distinct;
  for (std::size_t i = 0; i < model.hashes.size(); ++i) {
    distinct.emplace(model.hashes[i], &model.graph.weights()[i].data);
  }
  std::vector<NamedTensor> tensors;
  for (const auto& [hash, tensor] : distinct) tensors.push_back({hash, *tensor});
  save_safetensors(weights_file(fresh.path()), tensors);
  const Json json = {{"format", kFormat},
                     {"version", kVersion},
                     {"boundaries", model.boundaries},
                     {"graph", to_json(model.graph, model.hashes)}};
  write_file(model_file(fresh.path()), json.dump(1));
  fresh.commit();
}

SlicedModel load_sliced_model(const std::filesystem::path& directory) {
  const std::string where = model_file(directory).string();
  if (!std::filesystem::exists(model_file(directory))) {
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
  SlicedModel model{graph_from_json(json_object(json, "graph", where), weight, where), {}, {}, {}};
  for (const Json& entry : json_array(json_object(json, "graph", where), "weights", where)) {
    model.hashes.push_back(json_string(entry, "sha256", where));
  }
  model.cuts = find_cuts(model.graph);
  model.boundaries = read_boundaries(json, model.cuts.size() - 1, where);
  return model;
}

std::string piece_name(const SlicedModel& model, std::size_t piece) {
  const std::string& first = model.graph.layers()[model.boundaries.at(piece)].name;
  const std::string& last = model.graph.layers()[model.boundaries.at(piece + 1) - 1].name;
  return first == last ? first : first + " … " + last;
}

}  // namespace lamina
