#include "keras/weight_store.h"

#include <algorithm>

namespace lamina {

namespace {

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t slash = std::min(path.find('/', begin), path.size());
    if (slash > begin) parts.push_back(path.substr(begin, slash - begin));
    begin = slash + 1;
  }
  return parts;
}

// "kernel:0" is TensorFlow's way to say the first output of the variable "kernel".
std::string without_output(const std::string& name) { return name.substr(0, name.find(':')); }

}  // namespace

std::optional<Tensor> TreeWeightStore::find(const WeightPlace& place, const std::string&,
                                            std::size_t index) const {
  const auto found = file_.datasets.find(place.path + "/vars/" + std::to_string(index));
  if (found == file_.datasets.end()) return std::nullopt;
  return found->second;
}

std::optional<Tensor> NamedWeightStore::find(const WeightPlace& place, const std::string& name,
                                             std::size_t) const {
  const std::string group = root_.empty() ? place.names.front() : root_ + "/" + place.names.front();
  const Tensor* best = nullptr;
  for (const std::string& weight : file_.texts(group, "weight_names")) {
    const std::vector<std::string> parts = split_path(weight);
    if (parts.empty() || without_output(parts.back()) != name) continue;
    // Inside a nested model the layer's own name stands before the weight's.
    if (place.names.size() > 1 && (parts.size() < 2 || parts[parts.size() - 2] != place.names.back()))
      continue;
    const auto found = file_.datasets.find(group + "/" + weight);
    if (found == file_.datasets.end()) continue;
    if (best != nullptr) return std::nullopt;  // two fit: saying nothing beats guessing
    best = &found->second;
  }
  if (best == nullptr) return std::nullopt;
  return *best;
}

}  // namespace lamina
