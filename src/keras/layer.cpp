#include "keras/layer.h"

#include "base/error.h"
#include "graph/convert.h"

#include <set>
#include <utility>

namespace lamina {

namespace {

LayerFunction find_in(std::initializer_list<const std::vector<LayerEntry>*> families,
                      const std::string& name) {
  for (const auto* family : families) {
    for (const LayerEntry& entry : *family) {
      if (entry.class_name == name) return entry.lower;
    }
  }
  return nullptr;
}

}  // namespace

LayerFunction find_layer(const std::string& class_name) {
  return find_in({&core_layers(), &convolution_layers(), &pooling_layers(), &normalization_layers(),
                  &activation_layers(), &merging_layers(), &reshaping_layers()},
                 class_name);
}

LayerFunction find_operation(const std::string& class_name) { return find_in({&operations()}, class_name); }

LayerFunction find_tensorflow_function(const std::string& name) {
  return find_in({&tensorflow_functions()}, name);
}

std::string LayerCall::where() const {
  return fmt::format("layer '{}' ({}) in '{}'", layer_.name, layer_.class_name, file_);
}

ValueId LayerCall::input() const {
  if (inputs_.size() != 1)
    fail(ErrorCode::corrupt, "{}: called on {} tensors, expected 1", where(), inputs_.size());
  return inputs_[0];
}

ValueId LayerCall::constant(const std::string& name, Tensor value) {
  const auto known = layer_.weights.find(name);
  if (known != layer_.weights.end()) return known->second;
  return layer_.weights[name] = graph_.add_constant(layer_.name + "/" + name, std::move(value));
}

void LayerCall::convert_inputs_to_float() {
  for (ValueId& input : inputs_) {
    if (!is_floating(graph_.type(input).dtype)) input = add("cast", {input}, {{"dtype", "float32"}});
  }
}

ValueId LayerCall::filled(const std::string& name, const Shape& shape, float value) {
  const std::int64_t count = element_count(shape);
  if (count > kMaxConstant) unsupported(fmt::format("'{}' of {} numbers", name, count));
  return constant(name, Tensor::of(shape, std::vector<float>(static_cast<std::size_t>(count), value)));
}

ValueId LayerCall::weight(const std::string& name, const Shape& expected, Weight::Role role,
                          const Shape* as) {
  const std::size_t index = next_weight_++;
  const auto known = layer_.weights.find(name);
  if (known != layer_.weights.end()) return known->second;
  const std::optional<Tensor> found =
      store_.find(layer_.place, {name, index, expected, role == Weight::Role::trainable});
  if (!found) {
    fail(ErrorCode::corrupt, "{}: the file has no weight '{}' {} for it", where(), name, to_string(expected));
  }
  if (found->shape() != expected) {
    fail(ErrorCode::corrupt, "{}: weight '{}' is {}, expected {}", where(), name, to_string(found->shape()),
         to_string(expected));
  }
  if (!is_floating(found->dtype()))
    unsupported(fmt::format("weight '{}' is {}", name, to_string(found->dtype())));
  const Weight::Role kept = layer_.place.frozen ? Weight::Role::non_trainable : role;
  const Tensor tensor = convert(*found, DType::f32);
  const TensorType type{DType::f32, as == nullptr ? expected : *as};
  return layer_.weights[name] =
             graph_.add_weight(layer_.name + "/" + name, Tensor(type, tensor.data()), kept);
}

void LayerCall::pass_over_weight(const std::string& name, const Shape& expected) {
  store_.find(layer_.place, {name, next_weight_++, expected, false});
}

std::string LayerCall::text(const std::string& key, const std::string& otherwise) const {
  const auto found = config().find(key);
  return found == config().end() || found->is_null() ? otherwise : json_string(config(), key, where());
}

double LayerCall::number(const std::string& key, double otherwise) const {
  const auto found = config().find(key);
  return found == config().end() || found->is_null() ? otherwise : json_number(config(), key, where());
}

std::int64_t LayerCall::integer(const std::string& key, std::int64_t otherwise) const {
  const auto found = config().find(key);
  return found == config().end() || found->is_null() ? otherwise : json_integer(config(), key, where());
}

bool LayerCall::boolean(const std::string& key, bool otherwise) const {
  const auto found = config().find(key);
  return found == config().end() || found->is_null() ? otherwise : json_bool(config(), key, where());
}

bool LayerCall::is_null(const std::string& key) const {
  const auto found = config().find(key);
  return found == config().end() || found->is_null();
}

std::vector<std::int64_t> LayerCall::axes(const std::string& key, std::size_t rank,
                                          std::int64_t otherwise) const {
  const Json value = config().value(key, Json(otherwise));
  if (value.is_null()) return {};
  std::vector<std::int64_t> axes = value.is_array() ? json_integers(config(), key, where())
                                                    : std::vector<std::int64_t>{integer(key, otherwise)};
  std::set<std::int64_t> seen;
  for (std::int64_t& axis : axes) {
    if (axis < 0) axis += static_cast<std::int64_t>(rank);
    if (axis < 0 || axis >= static_cast<std::int64_t>(rank) || !seen.insert(axis).second) {
      fail(ErrorCode::corrupt, "{}: '{}' is {}, expected different axes of {}", where(), key,
           json_excerpt(value), rank);
    }
  }
  return axes;
}

std::vector<std::int64_t> LayerCall::integers(const std::string& key, std::size_t count,
                                              std::int64_t otherwise) const {
  const auto found = config().find(key);
  if (found == config().end() || found->is_null()) return std::vector<std::int64_t>(count, otherwise);
  if (found->is_number_integer())
    return std::vector<std::int64_t>(count, json_integer(config(), key, where()));
  const std::vector<std::int64_t> values = json_integers(config(), key, where());
  if (values.size() != count) {
    fail(ErrorCode::corrupt, "{}: '{}' is {}, expected {} integers", where(), key, json_excerpt(*found),
         count);
  }
  return values;
}

void LayerCall::expect_channels_last() const {
  const std::string format = text("data_format", "channels_last");
  if (format != "channels_last") unsupported(fmt::format("data_format '{}'; expected channels_last", format));
}

void LayerCall::unsupported(const std::string& what) const {
  fail(ErrorCode::unsupported, "{}: {} can't be read yet", where(), what);
}

}  // namespace lamina
