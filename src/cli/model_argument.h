// The MODEL argument that several commands take.
#pragma once

#include "graph/graph.h"

#include <string>
#include <vector>

#include <CLI/App.hpp>

namespace lamina::cli {

struct ModelArgument {
  std::string path;
  std::vector<std::string> input_shapes;  // "name=224,224,3" or "224,224,3"

  // Adds MODEL and --input-shape.
  void add_to(CLI::App& command);
  // Reads a .keras or .h5 file, or a directory that `lamina slice` made.
  Graph load() const;
};

}  // namespace lamina::cli
