#include "slice/cuts.h"
#include "support/random_graph.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// Networks of images, written as people draw them. Weights share one block of zeros.
class Network {
 public:
  explicit Network(std::int64_t size, std::int64_t channels) : graph_("network"), zeros_(allocate_zeros()) {
    value_ = graph_.add_input("image", {DType::f32, {kBatch, size, size, channels}});
    graph_.begin_layer("image", "InputLayer");
  }

  ValueId value() const { return value_; }
  void go_on_from(ValueId value) { value_ = value; }

  void conv(const std::string& name, std::int64_t filters, bool with_activation, std::int64_t stride = 1,
            std::int64_t kernel = 3) {
    graph_.begin_layer(name, "Conv2D");
    const std::int64_t channels = graph_.type(value_).shape.back();
    value_ = graph_.add("conv", {value_, weight(name + "/kernel", {kernel, kernel, channels, filters})},
                        {{"strides", std::vector<std::int64_t>{stride, stride}},
                         {"dilations", std::vector<std::int64_t>{1, 1}},
                         {"padding", std::string("same")}});
    if (with_activation) value_ = graph_.add("relu", {value_});
  }
  void pool(const std::string& name) {
    graph_.begin_layer(name, "MaxPooling2D");
    value_ = graph_.add("max_pool", {value_},
                        {{"pool_size", std::vector<std::int64_t>{2, 2}},
                         {"strides", std::vector<std::int64_t>{2, 2}},
                         {"padding", std::string("valid")}});
  }
  void flatten() {
    graph_.begin_layer("flatten", "Flatten");
    std::int64_t size = 1;
    for (std::size_t axis = 1; axis < graph_.type(value_).shape.size(); ++axis)
      size *= graph_.type(value_).shape[axis];
    value_ = graph_.add("reshape", {value_}, {{"shape", std::vector<std::int64_t>{kBatch, size}}});
  }
  void dense(const std::string& name, std::int64_t units, const std::string& activation) {
    graph_.begin_layer(name, "Dense");
    value_ =
        graph_.add("matmul", {value_, weight(name + "/kernel", {graph_.type(value_).shape.back(), units})});
    value_ = graph_.add(activation, {value_});
  }
  void normalize(const std::string& name) {
    graph_.begin_layer(name, "BatchNormalization");
    const std::int64_t channels = graph_.type(value_).shape.back();
    std::vector<ValueId> inputs = {value_};
    for (const char* part : {"/gamma", "/beta", "/mean", "/variance"})
      inputs.push_back(weight(name + part, {channels}));
    value_ = graph_.add("batch_normalization", inputs);
  }
  void relu(const std::string& name) {
    graph_.begin_layer(name, "Activation");
    value_ = graph_.add("relu", {value_});
  }
  void pad(const std::string& name) {
    graph_.begin_layer(name, "ZeroPadding2D");
    value_ = graph_.add("pad", {value_},
                        {{"before", std::vector<std::int64_t>{0, 1, 1, 0}},
                         {"after", std::vector<std::int64_t>{0, 1, 1, 0}},
                         {"mode", std::string("constant")}});
  }
  void crop(const std::string& name, std::int64_t size) {
    graph_.begin_layer(name, "Cropping2D");
    const std::int64_t all = INT64_MAX;
    value_ = graph_.add("slice", {value_},
                        {{"begins", std::vector<std::int64_t>{0, 0, 0, 0}},
                         {"ends", std::vector<std::int64_t>{all, size, size, all}},
                         {"steps", std::vector<std::int64_t>{1, 1, 1, 1}}});
  }
  void average(const std::string& name) {
    graph_.begin_layer(name, "GlobalAveragePooling2D");
    value_ = graph_.add("mean", {value_}, {{"axes", std::vector<std::int64_t>{1, 2}}, {"keepdims", true}});
  }
  void multiply(const std::string& name, ValueId other) {
    graph_.begin_layer(name, "Multiply");
    value_ = graph_.add("multiply", {value_, other});
  }
  void add(const std::string& name, ValueId other) {
    graph_.begin_layer(name, "Add");
    value_ = graph_.add("add", {value_, other});
  }
  void scale(const std::string& name, const Shape& shape) {
    graph_.begin_layer(name, "Scale");
    value_ = graph_.add("multiply", {value_, weight(name + "/scale", shape)});
  }

  // The last layers of the pieces between useful cuts.
  std::vector<std::string> piece_ends() {
    graph_.add_output("classes", value_);
    verify(graph_);
    const std::vector<std::size_t> positions = useful_cuts(graph_, find_cuts(graph_));
    EXPECT_EQ(positions.front(), 0U);
    EXPECT_EQ(positions.back(), graph_.layers().size());
    std::vector<std::string> names;
    for (std::size_t i = 1; i < positions.size(); ++i)
      names.push_back(graph_.layers()[positions[i] - 1].name);
    return names;
  }

 private:
  static constexpr std::size_t kBlock = 512U << 20U;
  static Buffer allocate_zeros() {
    // Never touched, so it takes no memory.
    return Buffer::take(allocate_bytes(kBlock), kBlock);
  }
  ValueId weight(const std::string& name, const Shape& shape) {
    const TensorType type{DType::f32, shape};
    return graph_.add_weight(name, Tensor(type, zeros_.slice(0, byte_size(type, 1))),
                             Weight::Role::trainable);
  }

  Graph graph_;
  Buffer zeros_;
  ValueId value_ = 0;
};

TEST(UsefulCuts, Vgg16FallsIntoItsConvolutionsPoolsAndDenseLayers) {
  Network network(224, 3);
  std::vector<std::string> expected;
  const auto block = [&](int number, int convolutions, std::int64_t filters) {
    for (int i = 1; i <= convolutions; ++i) {
      expected.push_back(fmt::format("block{}_conv{}", number, i));
      network.conv(expected.back(), filters, true);
    }
    expected.push_back(fmt::format("block{}_pool", number));
    network.pool(expected.back());
  };
  block(1, 2, 64);
  block(2, 2, 128);
  block(3, 3, 256);
  block(4, 3, 512);
  block(5, 3, 512);
  network.flatten();
  expected.back() = "flatten";
  network.dense("fc1", 4096, "relu");
  network.dense("fc2", 4096, "relu");
  network.dense("predictions", 1000, "softmax");
  expected.insert(expected.end(), {"fc1", "fc2", "predictions"});
  EXPECT_EQ(network.piece_ends(), expected);
  EXPECT_EQ(expected.size(), 21U);
}

TEST(UsefulCuts, AResidualBlockKeepsConvolutionNormalizationAndActivationTogether) {
  Network network(56, 64);
  network.conv("start", 64, false);
  const ValueId shortcut = network.value();
  network.conv("conv1", 64, false, 1, 1);
  network.normalize("bn1");
  network.relu("relu1");
  network.conv("conv2", 64, false);
  network.normalize("bn2");
  network.add("add", shortcut);
  network.relu("out");
  network.conv("next", 64, false);
  // Between conv2 and next only the sum remains of the two that crossed before.
  EXPECT_EQ(network.piece_ends(), (std::vector<std::string>{"start", "relu1", "out", "next"}));
}

TEST(UsefulCuts, PaddingGoesWithWhatFollowsIt) {
  Network network(32, 3);
  network.conv("a", 8, true);
  network.pad("pad");
  network.conv("b", 8, true);
  EXPECT_EQ(network.piece_ends(), (std::vector<std::string>{"a", "b"}));
}

TEST(UsefulCuts, AConvolutionOverOnePixelIsNoWork) {
  Network network(112, 3);
  network.conv("wide", 32, true);
  const ValueId wide = network.value();
  network.average("squeeze");
  network.conv("reduce", 8, true, 1, 1);
  network.conv("expand", 32, true, 1, 1);
  network.multiply("excite", wide);
  network.conv("project", 16, false, 1, 1);
  EXPECT_EQ(network.piece_ends(), (std::vector<std::string>{"excite", "project"}));
}

TEST(UsefulCuts, ACheapLayerBesideAnEndIsItsOwnPieceOnlyWhereItSavesBytes) {
  Network crops_first(64, 3);
  crops_first.crop("crop", 16);
  crops_first.conv("conv", 8, true);
  EXPECT_EQ(crops_first.piece_ends(), (std::vector<std::string>{"crop", "conv"}));

  Network scales_first(64, 3);
  scales_first.scale("scale", {3});
  scales_first.conv("conv", 8, true);
  EXPECT_EQ(scales_first.piece_ends(), (std::vector<std::string>{"conv"}));

  Network pads_last(64, 3);
  pads_last.conv("conv", 8, true);
  pads_last.relu("relu");
  pads_last.pad("pad");
  EXPECT_EQ(pads_last.piece_ends(), (std::vector<std::string>{"relu", "pad"}));
}

TEST(UsefulCuts, LargeWeightsMakeALayerHeavyBecauseTheyFillMemory) {
  const auto piece_ends = [](std::int64_t filters) {
    Network network(32, 3);
    network.conv("conv", filters, true);
    network.flatten();
    network.normalize("bn");
    network.dense("dense", 4, "relu");
    return network.piece_ends();
  };
  // Four vectors of 4,096 floats are 64 KiB, of 102,400 they are 1.6 MiB.
  EXPECT_EQ(piece_ends(4), (std::vector<std::string>{"bn", "dense"}));
  EXPECT_EQ(piece_ends(100), (std::vector<std::string>{"flatten", "bn", "dense"}));
}

// A product is worth a piece where it computes half an operation for each float that crosses before it.
bool is_heavy(const Graph& graph, const std::vector<Cut>& cuts, const Node& node) {
  return node.op->name == "matmul" &&
         8 * node_flops(graph, node, 1) > static_cast<double>(cuts[node.layer].bytes_per_item);
}

// Chains with skips in which some layers multiply matrices; the widths differ, so do the bytes that cross.
Graph random_chain(Random& random) {
  Graph graph("chain");
  std::vector<ValueId> made = {graph.add_input("x", {DType::f32, {kBatch, 4}})};
  for (std::size_t layer = 0, count = 1 + pick(random, 14); layer < count; ++layer) {
    graph.begin_layer(fmt::format("layer{}", layer), "Test");
    const ValueId from = made[made.size() - 1 - pick(random, std::min<std::size_t>(made.size(), 3))];
    const std::int64_t width = graph.type(from).shape[1];
    switch (pick(random, 4)) {
      case 0: {
        const std::int64_t units = 1 + static_cast<std::int64_t>(pick(random, 8));
        const std::vector<float> zeros(static_cast<std::size_t>(width * units));
        const ValueId kernel = graph.add_weight(fmt::format("w{}", layer), Tensor::of({width, units}, zeros),
                                                Weight::Role::trainable);
        made.push_back(graph.add("matmul", {from, kernel}));
        break;
      }
      case 1:
        made.push_back(graph.add("concatenate", {from, made.back()}));
        break;
      case 2:
        made.push_back(
            graph.add("mean", {from}, {{"axes", std::vector<std::int64_t>{1}}, {"keepdims", true}}));
        break;
      default:
        made.push_back(graph.add("relu", {from}));
    }
  }
  graph.add_output("y", made.back());
  return graph;
}

TEST(UsefulCuts, ForEveryCutThatIsDroppedOneAsCheapIsKeptWithOnlyCheapLayersBetween) {
  Random random(7);
  std::size_t dropped = 0;
  for (int i = 0; i < 2000; ++i) {
    const Graph graph = random_chain(random);
    const std::vector<Cut> cuts = find_cuts(graph);
    const std::vector<std::size_t> kept = useful_cuts(graph, cuts);
    ASSERT_TRUE(std::is_sorted(kept.begin(), kept.end(), std::less_equal<>()));
    ASSERT_EQ(kept.front(), 0U);
    ASSERT_EQ(kept.back(), cuts.size() - 1);
    std::vector<std::size_t> heavy_before(cuts.size(), 0);  // how many heavy layers come before a position
    for (const Node& node : graph.nodes()) {
      for (std::size_t position = node.layer + 1; is_heavy(graph, cuts, node) && position < cuts.size();
           ++position)
        ++heavy_before[position];
    }
    for (const Cut& cut : cuts) {
      if (std::binary_search(kept.begin(), kept.end(), cut.position)) continue;
      ++dropped;
      const bool replaced = std::any_of(kept.begin(), kept.end(), [&](std::size_t other) {
        return heavy_before[other] == heavy_before[cut.position] &&
               cuts[other].bytes_per_item <= cut.bytes_per_item;
      });
      ASSERT_TRUE(replaced) << "cut " << cut.position << " of\n" << dump(graph);
    }
    // And no two that only cheap layers separate, the ends apart.
    for (std::size_t k = 2; k + 1 < kept.size(); ++k) {
      ASSERT_NE(heavy_before[kept[k - 1]], heavy_before[kept[k]]) << dump(graph);
    }
  }
  EXPECT_GT(dropped, 1000U);
}

}  // namespace
}  // namespace lamina
