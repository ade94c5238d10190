// Finding the weights of a layer in a file.
#pragma once

#include "graph/tensor.h"
#include "keras/hdf5_file.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace lamina {

// Where a layer's weights are.
struct WeightPlace {
  std::vector<std::string> names;          // from the outermost model in: "encoder", "dense"
  std::string path;                        // in Keras 3's tree: "layers/functional/layers/dense"
  std::vector<std::size_t> position = {};  // among the layers of each model around
  bool frozen = false;                     // the layer or a model around it is not trainable
};

// A weight as its layer asks for it.
struct WeightRequest {
  std::string name;       // "kernel"
  std::size_t index = 0;  // among the weights of the layer, in the order of their creation
  Shape shape;
  bool trainable = true;
};

class WeightStore {
 public:
  virtual ~WeightStore() = default;
  // The weight, or nothing where the file has none.
  virtual std::optional<Tensor> find(const WeightPlace& place, const WeightRequest& request) const = 0;
};

// model.weights.h5 inside a .keras file: PATH/vars/INDEX (keras.src.saving.saving_lib).
class TreeWeightStore : public WeightStore {
 public:
  explicit TreeWeightStore(Hdf5File file) : file_(std::move(file)) {}
  std::optional<Tensor> find(const WeightPlace& place, const WeightRequest& request) const override;

 private:
  Hdf5File file_;
};

// Takes note of the weights that layers ask for and hands out tensors whose bytes must not be read.
class WeightRecorder : public WeightStore {
 public:
  std::optional<Tensor> find(const WeightPlace& place, const WeightRequest& request) const override;
  // The number of each weight in the list of all weights of the layer or model `outermost`, by its key (see
  // key_of): in the order of the layers, first those that are trained, then the others.
  std::map<std::string, std::size_t> order_of(const std::string& outermost) const;
  // The layers and models of the outermost model that have weights.
  std::vector<std::string> outermost() const;

  static std::string key_of(const WeightPlace& place, std::size_t index);

 private:
  struct Seen {
    bool frozen;
    std::vector<std::size_t> position;
    std::size_t index;
    bool operator<(const Seen& other) const {
      return std::tie(frozen, position, index) < std::tie(other.frozen, other.position, other.index);
    }
  };
  // By outermost name; filled while a const model is built.
  mutable std::map<std::string, std::map<Seen, std::string>> seen_;
};

// A whole-model .h5: a group for each layer of the outermost model, whose attribute weight_names lists the
// datasets in it; those of a nested model's layers stand one after another
// (keras.src.legacy.saving.legacy_h5_format). Order counts, not the names.
class ListedWeightStore : public WeightStore {
 public:
  // `root` is the group that holds the layers: "model_weights", or "" for the root of the file. The recorder
  // has seen the building of the model. Error(corrupt) naming the layer whose weights are more or fewer than
  // it needs.
  ListedWeightStore(Hdf5File file, const std::string& root, const WeightRecorder& recorder,
                    const std::string& where);
  std::optional<Tensor> find(const WeightPlace& place, const WeightRequest& request) const override;

 private:
  std::map<std::string, Tensor> weights_;  // by WeightRecorder::key_of
};

}  // namespace lamina
