#include "graph/serialize.h"

#include "base/error.h"
#include "base/sha256.h"
#include "support/mutate.h"
#include "support/random_graph.h"

#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// Where a reader finds the weights of a graph that was written.
class Store {
 public:
  std::vector<std::string> put(const Graph& graph) {
    std::vector<std::string> hashes;
    for (const Weight& weight : graph.weights()) {
      hashes.push_back(content_hash(weight.data));
      weights_[hashes.back()] = weight.data.data();
    }
    return hashes;
  }
  Graph read(const Json& json) const {
    return graph_from_json(
        json,
        [this](const std::string& hash) {
          const auto found = weights_.find(hash);
          if (found == weights_.end()) fail(ErrorCode::not_found, "no weight {}", hash);
          return found->second;
        },
        "model.json");
  }

 private:
  std::map<std::string, Buffer> weights_;
};

// One of each kind of attribute, a weight with a role of each kind, layers without ops.
Graph small_network() {
  Graph graph("small");
  const ValueId image = graph.add_input("image", {DType::f32, {kBatch, 4, 4, 2}});
  const std::vector<float> ones(72, 1.0F);
  const ValueId kernel =
      graph.add_weight("conv/kernel", Tensor::of({3, 3, 2, 4}, ones), Weight::Role::trainable);
  const ValueId mean =
      graph.add_weight("mean", Tensor::of({4}, std::span(ones).first(4)), Weight::Role::non_trainable);
  graph.begin_layer("image", "InputLayer");
  graph.begin_layer("conv", "Conv2D");
  ValueId value = graph.add("conv", {image, kernel},
                            {{"strides", std::vector<std::int64_t>{1, 1}},
                             {"dilations", std::vector<std::int64_t>{1, 1}},
                             {"padding", std::string("same")}});
  value = graph.add("clip", {value}, {{"min", 0.0}, {"max", std::numeric_limits<double>::infinity()}});
  value = graph.add("subtract", {value, mean});
  graph.begin_layer("dropout", "Dropout");
  graph.begin_layer("softmax", "Softmax");
  const ValueId half = graph.add_constant("half", Tensor::scalar(0.5F));
  value = graph.add("multiply", {value, half});
  value = graph.add("mean", {value}, {{"axes", std::vector<std::int64_t>{1, 2}}, {"keepdims", false}});
  value = graph.add("softmax", {value}, {{"axis", std::int64_t{-1}}});
  graph.add_output("classes", value);
  graph.set_training_config(R"({"loss":"mse"})");
  return graph;
}

TEST(Serialize, EverythingComesBack) {
  Store store;
  const Graph graph = small_network();
  const std::vector<std::string> hashes = store.put(graph);
  const Json json = to_json(graph, hashes);
  const Graph back = store.read(parse_json(json.dump(), "model.json"));
  EXPECT_EQ(back.name(), "small");
  EXPECT_EQ(back.training_config(), graph.training_config());
  ASSERT_EQ(back.layers().size(), graph.layers().size());
  for (std::size_t i = 0; i < graph.layers().size(); ++i) {
    EXPECT_EQ(back.layers()[i].name, graph.layers()[i].name);
    EXPECT_EQ(back.layers()[i].class_name, graph.layers()[i].class_name);
  }
  ASSERT_EQ(back.nodes().size(), graph.nodes().size());
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    EXPECT_EQ(back.nodes()[i].op, graph.nodes()[i].op);
    EXPECT_EQ(back.nodes()[i].attributes, graph.nodes()[i].attributes);
    EXPECT_EQ(back.nodes()[i].layer, graph.nodes()[i].layer);
    EXPECT_EQ(back.type(back.nodes()[i].outputs[0]), graph.type(graph.nodes()[i].outputs[0]));
  }
  ASSERT_EQ(back.weights().size(), graph.weights().size());
  for (std::size_t i = 0; i < graph.weights().size(); ++i) {
    EXPECT_EQ(back.weights()[i].name, graph.weights()[i].name);
    EXPECT_EQ(back.weights()[i].role, graph.weights()[i].role);
    EXPECT_EQ(back.weights()[i].data.type(), graph.weights()[i].data.type());
    EXPECT_EQ(back.weights()[i].data.data().data(), graph.weights()[i].data.data().data());
  }
  ASSERT_EQ(back.inputs().size(), 1U);
  EXPECT_EQ(back.inputs()[0].name, "image");
  ASSERT_EQ(back.outputs().size(), 1U);
  EXPECT_EQ(back.outputs()[0].name, "classes");
}

TEST(Serialize, RandomGraphsComputeTheSameAfterwards) {
  Random random(4);
  for (int i = 0; i < 500; ++i) {
    const Graph graph = random_graph(random);
    Store store;
    const std::vector<std::string> hashes = store.put(graph);
    const Json json = to_json(graph, hashes);
    const Graph back = store.read(parse_json(json.dump(), "model.json"));
    NamedValues inputs;
    for (const Port& port : graph.inputs()) {
      for (std::int64_t k = 0; k < 2 * kWidth; ++k)
        inputs[port.name].push_back(static_cast<float>(pick(random, 100)) / 50 - 1);
    }
    ASSERT_EQ(interpret(back, inputs), interpret(graph, inputs)) << dump(graph);
    ASSERT_EQ(to_json(back, hashes), json);
  }
}

TEST(Serialize, ContentHashesAreThoseOfTheBytes) {
  const Tensor tensor = Tensor::of({2}, std::array{1.0F, 2.0F});
  EXPECT_EQ(content_hash(tensor), sha256(std::string_view("\0\0\x80\x3f\0\0\0\x40", 8)));
}

// What reading small_network() fails with after a change to its JSON.
std::string complaint(const std::function<void(Json&)>& change) {
  Store store;
  const Graph graph = small_network();
  Json json = to_json(graph, store.put(graph));
  change(json);
  try {
    store.read(json);
  } catch (const Error& error) {
    EXPECT_EQ(to_string(error.code()), "corrupt") << error.what();
    std::string message = error.what();
    EXPECT_TRUE(message.starts_with("model.json: ")) << message;
    EXPECT_EQ(message.find("model.json", 1), std::string::npos) << message;
    return message;
  }
  ADD_FAILURE() << "was read";
  return "";
}

TEST(Serialize, WhatIsWrongIsNamed) {
  EXPECT_EQ(complaint([](Json& json) { json["version"] = 2; }),
            "model.json: format 'lamina-graph' version 2, expected lamina-graph version 1");
  EXPECT_EQ(complaint([](Json& json) { json["layers"][1]["nodes"][0]["op"] = "explode"; }),
            "model.json: there is no op 'explode'");
  EXPECT_EQ(complaint([](Json& json) { json["layers"][1]["nodes"][0]["attributes"]["speed"] = 1; }),
            "model.json: op 'conv' has no attribute 'speed'");
  EXPECT_EQ(complaint([](Json& json) { json["layers"][1]["nodes"][0]["attributes"]["groups"] = "1"; }),
            "model.json: op 'conv': 'groups' is \"1\", expected an integer");
  EXPECT_EQ(complaint([](Json& json) { json["weights"][0]["sha256"] = "../../etc/passwd"; }),
            "model.json: weight 'conv/kernel': sha256 is '../../etc/passwd', expected 64 hexadecimal digits");
  EXPECT_EQ(complaint([](Json& json) { json.erase("outputs"); }), "model.json: 'outputs' is missing");
}

TEST(Serialize, IndicesOutsideTheGraphAndCyclesAreRefused) {
  // Value 4 is the first that a node makes; its own output and anything later would be a cycle.
  for (const std::int64_t index :
       {std::int64_t{-1}, std::int64_t{4}, std::int64_t{5}, std::int64_t{1} << 40}) {
    EXPECT_EQ(complaint([&](Json& json) { json["layers"][1]["nodes"][0]["inputs"][0] = index; }),
              fmt::format("model.json: value {} is used, 4 are made so far", index));
  }
  complaint([](Json& json) { json["outputs"][0]["value"] = 1000; });
  complaint([](Json& json) { json["outputs"] = Json::array(); });
  complaint([](Json& json) { json["layers"][1]["name"] = "image"; });
  complaint([](Json& json) { json["weights"][1]["name"] = "conv/kernel"; });
  complaint([](Json& json) { json["weights"][0]["shape"] = {3, 3, 2, 5}; });
  complaint([](Json& json) { json["weights"][0]["dtype"] = "object"; });
  complaint([](Json& json) { json["inputs"][0]["shape"] = {-1, 4, 4, 3}; });
  complaint([](Json& json) { json["inputs"][0]["shape"] = {-1, 1LL << 40, 1LL << 40, 2}; });
}

// Every place in a JSON value at which something else could stand.
void collect(Json& json, std::vector<Json*>& places) {
  places.push_back(&json);
  if (json.is_structured()) {
    for (Json& part : json) collect(part, places);
  }
}

TEST(Serialize, DamagedGraphsNeverDoWorseThanAnError) {
  Random random(5);
  Store store;
  const Graph graph = small_network();
  const Json valid = to_json(graph, store.put(graph));
  const std::vector<Json> strange = {nullptr,
                                     true,
                                     -1,
                                     0,
                                     1,
                                     2,
                                     INT64_MAX,
                                     INT64_MIN,
                                     0.5,
                                     1e300,
                                     "",
                                     "x",
                                     "inf",
                                     Json::array(),
                                     Json::object(),
                                     {1},
                                     {-1, 0, 3},
                                     {1LL << 62, 1LL << 62}};
  int read = 0;
  for (int i = 0; i < 10000; ++i) {
    Json json = valid;
    for (std::size_t changes = 1 + pick(random, 2); changes > 0; --changes) {
      std::vector<Json*> places;
      collect(json, places);
      Json& place = *places[pick(random, places.size())];
      // A value of the graph's own stands in the right place of the wrong thing now and then.
      place = pick(random, 2) == 0 ? strange[pick(random, strange.size())]
                                   : Json(*places[pick(random, places.size())]);
    }
    try {
      verify(store.read(json));
      ++read;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(read, 100);
}

TEST(Serialize, DamagedTextNeverDoesWorseThanAnError) {
  Random random(6);
  Store store;
  const Graph graph = small_network();
  const std::string valid = to_json(graph, store.put(graph)).dump();
  for (int i = 0; i < 5000; ++i) {
    try {
      verify(store.read(parse_json(mutate(valid, random), "model.json")));
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace lamina
