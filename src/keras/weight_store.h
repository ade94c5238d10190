// Finding the weights of a layer in a file.
#pragma once

#include "graph/tensor.h"
#include "keras/hdf5_file.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lamina {

// Where a layer's weights are: its names from the outermost model in ("encoder", "dense"), and its place in
// Keras 3's tree
// ("layers/functional/layers/dense").
struct WeightPlace {
  std::vector<std::string> names;
  std::string path;
};

class WeightStore {
 public:
  virtual ~WeightStore() = default;
  // The weight that the layer creates as its `index`th under `name` ("kernel"), or nothing.
  virtual std::optional<Tensor> find(const WeightPlace& place, const std::string& name,
                                     std::size_t index) const = 0;
};

// model.weights.h5 inside a .keras file: PATH/vars/INDEX (keras.src.saving.saving_lib).
class TreeWeightStore : public WeightStore {
 public:
  explicit TreeWeightStore(Hdf5File file) : file_(std::move(file)) {}
  std::optional<Tensor> find(const WeightPlace& place, const std::string& name,
                             std::size_t index) const override;

 private:
  Hdf5File file_;
};

// A whole-model .h5: a group a layer of the outermost model, its attribute weight_names lists the datasets in
// it (keras.src.legacy.saving.legacy_h5_format).
class NamedWeightStore : public WeightStore {
 public:
  NamedWeightStore(Hdf5File file, std::string root) : file_(std::move(file)), root_(std::move(root)) {}
  std::optional<Tensor> find(const WeightPlace& place, const std::string& name,
                             std::size_t index) const override;

 private:
  Hdf5File file_;
  std::string root_;  // the group that holds the layers: "model_weights" or "" for the root
};

}  // namespace lamina
