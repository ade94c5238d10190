// From a model's configuration to a Graph.
#pragma once

#include "base/json.h"
#include "graph/graph.h"
#include "keras/reader.h"
#include "keras/weight_store.h"

#include <string>

namespace lamina {

struct ModelSource {
  Json model;  // {"class_name": "Functional", "config": {…}}
  const WeightStore* weights = nullptr;
  int keras_major = 3;
  std::string file;  // for errors
};

Graph build_model(const ModelSource& source, const ReadOptions& options);

}  // namespace lamina
