// Keras models from files, without Python.
#pragma once

#include "graph/graph.h"

#include <filesystem>
#include <map>
#include <string>

namespace lamina {

struct ReadOptions {
  // Shapes (with the batch axis first) for inputs whose sizes the model leaves open, by name; "" stands for
  // the only input.
  std::map<std::string, Shape> input_shapes;
};

// Reads a .keras file (Keras 3) or a whole-model .h5/.hdf5 file (Keras 2 and 3); the content tells which, not
// the name. The weights of the graph share a mapping of the file, which must not change as long as the graph
// lives. Floating-point weights and computations are float32, whatever the dtype policy says. Sequential,
// functional and nested models, shared layers, several inputs and outputs.
//
// Error(not_found | io) for the file, Error(corrupt) for what breaks the format, Error(unsupported) for what
// can't be read: both name the layer, its class and the file.
Graph read_model(const std::filesystem::path& path, const ReadOptions& options = {});

}  // namespace lamina
