#include "keras/reader.h"

#include "base/error.h"
#include "graph/npy.h"
#include "keras/keras_files.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// The error that reading `path` gives, as "code: message"; "" if it is read.
std::string error_of(const std::filesystem::path& path, const ReadOptions& options = {}) {
  try {
    read_model(path, options);
    return "";
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + ": " + error.what();
  }
}

std::map<std::string, Weight> weights_by_name(const Graph& graph) {
  std::map<std::string, Weight> weights;
  for (const Weight& weight : graph.weights()) weights.emplace(weight.name, weight);
  return weights;
}

std::int64_t parameters_of(const Graph& graph) {
  std::int64_t parameters = 0;
  for (const Weight& weight : graph.weights()) {
    if (weight.role != Weight::Role::constant) parameters += weight.data.elements();
  }
  return parameters;
}

// Bytes are what counts: a depthwise kernel has another shape in the graph.
bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.data().size() == b.data().size() &&
         std::memcmp(a.data().data(), b.data().data(), a.data().size()) == 0;
}

struct File {
  std::string file;
  std::string facts;
};

void PrintTo(const File& file, std::ostream* out) { *out << file.file; }

class WholeModels : public testing::TestWithParam<File> {
 protected:
  Graph read() { return read_model(keras_files() / GetParam().file); }
  const Json& facts() { return keras_facts().at(GetParam().facts); }
};

TEST_P(WholeModels, have_the_parameters_that_keras_counts) {
  EXPECT_EQ(parameters_of(read()), facts().at("parameters").get<std::int64_t>());
}

TEST_P(WholeModels, have_the_outputs_that_keras_has) {
  const Graph graph = read();
  ASSERT_EQ(graph.outputs().size(), facts().at("outputs").size());
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    Shape expected = facts().at("outputs")[i].get<Shape>();
    expected.insert(expected.begin(), kBatch);
    EXPECT_EQ(graph.type(graph.outputs()[i].value).shape, expected);
  }
}

TEST_P(WholeModels, give_each_layer_its_own_weights) {
  const Graph graph = read();
  std::map<std::string, std::vector<const Weight*>> of_layer;
  for (const Weight& weight : graph.weights()) {
    if (weight.role == Weight::Role::constant) continue;
    of_layer[weight.name.substr(0, weight.name.rfind('/'))].push_back(&weight);
  }
  std::size_t compared = 0;
  for (const auto& [layer, count] : facts().at("weights").items()) {
    ASSERT_EQ(of_layer[layer].size(), count.get<std::size_t>()) << layer;
    for (std::size_t i = 0; i < of_layer[layer].size(); ++i) {
      const Tensor expected =
          load_npy(keras_files() / GetParam().facts / layer / (std::to_string(i) + ".npy"));
      EXPECT_TRUE(same_bytes(of_layer[layer][i]->data, expected)) << of_layer[layer][i]->name;
      ++compared;
    }
  }
  EXPECT_GE(compared, 4U);
}

TEST_P(WholeModels, map_their_weights) {
  // All weights share the one mapping of the file.
  const Graph graph = read();
  std::set<const void*> owners;
  for (const Weight& weight : graph.weights()) {
    if (weight.role != Weight::Role::constant) owners.insert(weight.data.data().owner().get());
  }
  EXPECT_EQ(owners.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Keras, WholeModels,
                         testing::Values(File{"small.keras", "small"}, File{"small.h5", "small"},
                                         File{"small-2.h5", "small-2"}, File{"nested.keras", "nested"},
                                         File{"nested.h5", "nested"}, File{"nested-2.h5", "nested-2"},
                                         File{"plain.keras", "plain"}, File{"plain.h5", "plain"},
                                         File{"plain-2.h5", "plain-2"}),
                         [](const auto& info) {
                           std::string name = info.param.file;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return c == '.' || c == '-'; }, '_');
                           return name;
                         });

TEST(Reader, keeps_what_training_needs) {
  const Graph graph = read_model(keras_files() / "nested.keras");
  const auto weights = weights_by_name(graph);
  EXPECT_EQ(weights.at("encoder/norm/gamma").role, Weight::Role::trainable);
  EXPECT_EQ(weights.at("encoder/norm/moving_mean").role, Weight::Role::non_trainable);
  EXPECT_EQ(weights.at("encoder/last/kernel").role, Weight::Role::non_trainable);
  EXPECT_NE(graph.training_config().find("adam"), std::string::npos);
  EXPECT_NE(read_model(keras_files() / "nested.h5").training_config().find("adam"), std::string::npos);
}

TEST(Reader, keeps_the_shape_of_dropout) {
  const Graph graph = read_model(keras_files() / "small.keras");
  for (const Node& node : graph.nodes()) {
    if (node.op->name != "dropout") continue;
    EXPECT_EQ(node.attributes.integers("noise_shape"), (Shape{kBatch, 1, 1, 8}));
    EXPECT_EQ(node.attributes.number("rate"), 0.25);
    return;
  }
  FAIL() << "no dropout in " << dump(graph);
}

TEST(Reader, names_the_second_call_of_a_shared_layer) {
  const Graph graph = read_model(keras_files() / "nested.keras");
  std::vector<std::string> names;
  for (const Layer& layer : graph.layers()) names.push_back(layer.name);
  for (const char* name :
       {"shared", "shared#2", "encoder/dense", "encoder/dense#2", "encoder/deeper/deep#2"}) {
    EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << name;
  }
}

TEST(Reader, tells_the_format_by_content) {
  const TemporaryDirectory directory;
  std::filesystem::copy_file(keras_files() / "small.keras", directory.path() / "a.h5");
  std::filesystem::copy_file(keras_files() / "small-2.h5", directory.path() / "b.keras");
  EXPECT_EQ(error_of(directory.path() / "a.h5"), "");
  EXPECT_EQ(error_of(directory.path() / "b.keras"), "");
}

TEST(Reader, turns_weights_of_half_precision_into_float32) {
  for (const std::string policy : {"float16", "bfloat16", "mixed_float16"}) {
    const Graph graph = read_model(keras_files() / (policy + ".keras"));
    const Tensor kernel = weights_by_name(graph).at("one/kernel").data;
    ASSERT_EQ(kernel.dtype(), DType::f32) << policy;
    EXPECT_TRUE(same_bytes(kernel, load_npy(keras_files() / (policy + ".npy")))) << policy;
  }
}

TEST(Reader, asks_for_sizes_that_the_model_leaves_open) {
  const auto path = keras_files() / "open.keras";
  EXPECT_NE(error_of(path).find("leaves sizes open"), std::string::npos);
  ReadOptions options;
  options.input_shapes["picture"] = {kBatch, 8, 9, 3};
  const Graph graph = read_model(path, options);
  EXPECT_EQ(graph.type(graph.inputs()[0].value).shape, (Shape{kBatch, 8, 9, 3}));
  options.input_shapes["picture"] = {kBatch, 8, 9, 4};
  EXPECT_NE(error_of(path, options).find("the model has"), std::string::npos);
}

TEST(Reader, says_which_layer_it_cannot_read) {
  const std::string error = error_of(keras_files() / "lstm.keras");
  for (const char* part : {"unsupported", "'memory'", "LSTM", "lstm.keras"}) {
    EXPECT_NE(error.find(part), std::string::npos) << error;
  }
}

TEST(Reader, says_what_a_file_is_that_holds_no_model) {
  const TemporaryDirectory directory;
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(directory.path() / name) << text;
    return directory.path() / name;
  };
  std::filesystem::create_directory(directory.path() / "saved");
  write("saved/saved_model.pb", "x");
  EXPECT_NE(error_of(directory.path() / "saved").find("SavedModel"), std::string::npos);
  EXPECT_NE(error_of(directory.path()).find("directory"), std::string::npos);
  EXPECT_NE(error_of(write("pickle.keras", "\x80\x04\x95")).find("pickle"), std::string::npos);
  EXPECT_NE(error_of(write("empty.keras", "")).find("empty"), std::string::npos);
  EXPECT_NE(error_of(write("text.keras", "hello there")).find("no file that Keras writes"),
            std::string::npos);
  EXPECT_NE(error_of(keras_files() / "alone.weights.h5").find("weights alone"), std::string::npos);
  EXPECT_NE(error_of(directory.path() / "missing.keras").find("not_found"), std::string::npos);
}

}  // namespace
}  // namespace lamina
