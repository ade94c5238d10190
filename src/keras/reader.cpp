#include "keras/reader.h"

#include "base/error.h"
#include "base/file.h"
#include "keras/archive.h"
#include "keras/hdf5_file.h"
#include "keras/model_builder.h"
#include "keras/weight_store.h"

#include <memory>
#include <utility>

namespace lamina {

namespace {

constexpr std::uint64_t kMaxConfig = 256U << 20U;

// "2.0.5-tf" is 2; without a version the oldest is assumed.
int major_of(const std::string& version) {
  return !version.empty() && version[0] >= '3' && version[0] <= '9' ? version[0] - '0' : 2;
}

std::string text_of(const std::map<std::string, Buffer>& members, const std::string& name,
                    const std::string& where) {
  const auto found = members.find(name);
  if (found == members.end()) {
    fail(ErrorCode::corrupt, "'{}' is a zip archive without {}, expected a .keras file", where, name);
  }
  if (found->second.size() > kMaxConfig) {
    fail(ErrorCode::corrupt, "'{}': {} has {} bytes, expected at most {}", where, name, found->second.size(),
         kMaxConfig);
  }
  return {reinterpret_cast<const char*>(found->second.data()), found->second.size()};
}

Graph read_keras(const Buffer& bytes, const std::string& where, const ReadOptions& options) {
  const std::map<std::string, Buffer> members =
      read_archive(bytes, {"config.json", "metadata.json", "model.weights.h5"}, where);
  ModelSource source;
  source.file = where;
  source.model = parse_json(text_of(members, "config.json", where), where + ": config.json");
  const Json metadata = parse_json(text_of(members, "metadata.json", where), where + ": metadata.json");
  source.keras_major = major_of(json_string(metadata, "keras_version", where + ": metadata.json"));
  const auto weights = members.find("model.weights.h5");
  if (weights == members.end()) fail(ErrorCode::corrupt, "'{}' lacks model.weights.h5", where);
  const TreeWeightStore store(read_hdf5(weights->second, where + ": model.weights.h5"));
  source.weights = &store;
  Graph graph = build_model(source, options);
  const Json training = source.model.value("compile_config", Json());
  if (!training.is_null()) graph.set_training_config(training.dump());
  return graph;
}

Graph read_h5(const Buffer& bytes, const std::string& where, const ReadOptions& options) {
  Hdf5File file = read_hdf5(bytes, where);
  const auto attribute = [&](const std::string& name) {
    std::vector<std::string> texts = file.texts("", name);
    return texts.empty() ? std::string() : texts.front();
  };
  const std::string config = attribute("model_config");
  if (config.empty()) {
    fail(ErrorCode::unsupported,
         "'{}' holds no model_config: it has weights alone; save the whole model with model.save()", where);
  }
  ModelSource source;
  source.file = where;
  source.model = parse_json(config, where + ": model_config");
  source.keras_major = major_of(attribute("keras_version"));
  const std::string training = attribute("training_config");
  const std::string root = file.has_group("model_weights") ? "model_weights" : "";
  // The file lists weights by order alone; a first build finds out which layer asks for which.
  const WeightRecorder recorder;
  source.weights = &recorder;
  build_model(source, options);
  const ListedWeightStore store(std::move(file), root, recorder, where);
  source.weights = &store;
  Graph graph = build_model(source, options);
  graph.set_training_config(training);
  return graph;
}

[[noreturn]] void refuse(const std::filesystem::path& path, const Buffer& bytes) {
  const std::string_view begin(reinterpret_cast<const char*>(bytes.data()),
                               std::min<std::size_t>(bytes.size(), 8));
  std::string kind = "no file that Keras writes";
  if (bytes.empty()) kind = "empty";
  if (begin.starts_with("\x80\x02") || begin.starts_with("\x80\x04") || begin.starts_with("\x80\x05")) {
    kind = "a Python pickle, which runs code when it is opened";
  }
  fail(ErrorCode::unsupported, "'{}' is {}; expected a model saved by Keras as .keras or .h5", path.string(),
       kind);
}

}  // namespace

Graph read_model(const std::filesystem::path& path, const ReadOptions& options) {
  if (std::filesystem::is_directory(path)) {
    const bool saved_model = std::filesystem::exists(path / "saved_model.pb");
    fail(ErrorCode::unsupported, "'{}' is {}; expected a model saved by Keras as .keras or .h5",
         path.string(), saved_model ? "a TensorFlow SavedModel" : "a directory");
  }
  const Buffer bytes = map_file(path);
  const std::string where = path.string();
  try {
    if (looks_like_zip(bytes)) return read_keras(bytes, where, options);
    if (looks_like_hdf5(bytes)) return read_h5(bytes, where, options);
  } catch (const Json::exception& error) {
    fail(ErrorCode::corrupt, "'{}': {}", where, error.what());
  } catch (const Error& error) {
    // What checks shapes and dtypes doesn't know the file.
    if (std::string_view(error.what()).find(where) != std::string_view::npos) throw;
    fail(error.code(), "'{}': {}", where, error.what());
  }
  refuse(path, bytes);
}

}  // namespace lamina
