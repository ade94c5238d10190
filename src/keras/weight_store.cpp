#include "keras/weight_store.h"

#include "base/error.h"

#include <utility>

namespace lamina {

std::optional<Tensor> TreeWeightStore::find(const WeightPlace& place, const WeightRequest& request) const {
  const auto found = file_.datasets.find(place.path + "/vars/" + std::to_string(request.index));
  if (found == file_.datasets.end()) return std::nullopt;
  return found->second;
}

std::string WeightRecorder::key_of(const WeightPlace& place, std::size_t index) {
  std::string key;
  for (const std::size_t number : place.position) key += std::to_string(number) + "/";
  return key + std::to_string(index);
}

std::optional<Tensor> WeightRecorder::find(const WeightPlace& place, const WeightRequest& request) const {
  const bool frozen = place.frozen || !request.trainable;
  seen_[place.names.front()].emplace(Seen{frozen, place.position, request.index},
                                     key_of(place, request.index));
  const TensorType type{DType::f32, request.shape};
  const std::span<const std::byte> unread(static_cast<const std::byte*>(nullptr), byte_size(type, 1));
  return Tensor(type, Buffer(nullptr, unread));
}

std::map<std::string, std::size_t> WeightRecorder::order_of(const std::string& outermost) const {
  std::map<std::string, std::size_t> order;
  const auto found = seen_.find(outermost);
  if (found == seen_.end()) return order;
  std::size_t number = 0;
  for (const auto& [seen, key] : found->second) order.emplace(key, number++);
  return order;
}

std::vector<std::string> WeightRecorder::outermost() const {
  std::vector<std::string> names;
  for (const auto& [name, seen] : seen_) names.push_back(name);
  return names;
}

ListedWeightStore::ListedWeightStore(Hdf5File file, const std::string& root, const WeightRecorder& recorder,
                                     const std::string& where) {
  for (const std::string& layer : recorder.outermost()) {
    const std::string group = root.empty() ? layer : root + "/" + layer;
    const std::vector<std::string> names = file.texts(group, "weight_names");
    const std::map<std::string, std::size_t> order = recorder.order_of(layer);
    if (names.size() != order.size()) {
      fail(ErrorCode::corrupt, "layer '{}' in '{}': the file has {} weights for it, expected {}", layer,
           where, names.size(), order.size());
    }
    for (const auto& [key, number] : order) {
      const auto found = file.datasets.find(group + "/" + names[number]);
      if (found != file.datasets.end()) weights_.emplace(key, found->second);
    }
  }
}

std::optional<Tensor> ListedWeightStore::find(const WeightPlace& place, const WeightRequest& request) const {
  const auto found = weights_.find(WeightRecorder::key_of(place, request.index));
  if (found == weights_.end()) return std::nullopt;
  return found->second;
}

}  // namespace lamina
