// Layers that move elements.
#include "base/error.h"
#include "keras/layer.h"

#include <limits>

namespace lamina {

namespace {

std::int64_t elements_after_batch(const Shape& shape) {
  return element_count({shape.begin() + 1, shape.end()});
}

std::vector<ValueId> lower_flatten(LayerCall& call) {
  const Shape& shape = call.shape(call.input());
  return {call.add("reshape", {call.input()}, {{"shape", Shape{shape[0], elements_after_batch(shape)}}})};
}

std::vector<ValueId> lower_reshape(LayerCall& call) {
  const Shape& shape = call.shape(call.input());
  Shape target = json_integers(call.config(), "target_shape", call.where());
  std::int64_t known = 1;
  std::int64_t* open = nullptr;
  for (std::int64_t& size : target) {
    if (size == -1 && open == nullptr) {
      open = &size;
    } else if (size < 1 || __builtin_mul_overflow(known, size, &known)) {
      fail(ErrorCode::corrupt, "{}: target_shape {}", call.where(),
           json_excerpt(call.config()["target_shape"]));
    }
  }
  if (open != nullptr) *open = elements_after_batch(shape) / known;
  target.insert(target.begin(), shape[0]);
  return {call.add("reshape", {call.input()}, {{"shape", target}})};
}

std::vector<ValueId> lower_permute(LayerCall& call) {
  std::vector<std::int64_t> axes = json_integers(call.config(), "dims", call.where());
  axes.insert(axes.begin(), 0);
  return {call.add("transpose", {call.input()}, {{"axes", axes}})};
}

struct Margins {
  std::vector<std::int64_t> before;
  std::vector<std::int64_t> after;
};

// 1, [1, 2] or [[1, 0], [2, 0]] as margins of all axes; the first and the last axis have none.
Margins margins_of(LayerCall& call, const std::string& key, std::size_t spatial) {
  call.expect_channels_last();
  if (call.rank(call.input()) != spatial + 2)
    call.unsupported("an input " + to_string(call.shape(call.input())));
  Margins margins{std::vector<std::int64_t>(spatial + 2, 0), std::vector<std::int64_t>(spatial + 2, 0)};
  const Json& value = json_member(call.config(), key, call.where());
  for (std::size_t axis = 0; axis < spatial; ++axis) {
    const Json& own = value.is_array() && value.size() == spatial && spatial > 1 ? value[axis] : value;
    const bool pair =
        own.is_array() && own.size() == 2 && own[0].is_number_integer() && own[1].is_number_integer();
    if (!pair && !own.is_number_integer()) {
      fail(ErrorCode::corrupt, "{}: '{}' is {}, expected margins of {} axes", call.where(), key,
           json_excerpt(value), spatial);
    }
    margins.before[axis + 1] = (pair ? own[0] : own).get<std::int64_t>();
    margins.after[axis + 1] = (pair ? own[1] : own).get<std::int64_t>();
  }
  return margins;
}

template <std::size_t spatial>
std::vector<ValueId> lower_zero_padding(LayerCall& call) {
  const Margins margins = margins_of(call, "padding", spatial);
  return {call.add("pad", {call.input()}, {{"before", margins.before}, {"after", margins.after}})};
}

template <std::size_t spatial>
std::vector<ValueId> lower_cropping(LayerCall& call) {
  const Margins margins = margins_of(call, "cropping", spatial);
  std::vector<std::int64_t> ends;
  for (const std::int64_t after : margins.after) {
    ends.push_back(after == 0 ? std::numeric_limits<std::int64_t>::max() : -after);
  }
  return {call.add(
      "slice", {call.input()},
      {{"begins", margins.before}, {"ends", ends}, {"steps", std::vector<std::int64_t>(ends.size(), 1)}})};
}

std::vector<ValueId> lower_up_sampling(LayerCall& call) {
  call.expect_channels_last();
  const std::vector<std::int64_t> factor = call.integers("size", 2, 2);
  const std::string method = call.text("interpolation", "nearest");
  if (method != "nearest" && method != "bilinear") call.unsupported("interpolation '" + method + "'");
  const Shape& shape = call.shape(call.input());
  if (shape.size() != 4 || factor[0] < 1 || factor[1] < 1) call.unsupported("an input " + to_string(shape));
  return {call.add(
      "resize", {call.input()},
      {{"size", std::vector<std::int64_t>{shape[1] * factor[0], shape[2] * factor[1]}}, {"method", method}})};
}

}  // namespace

const std::vector<LayerEntry>& reshaping_layers() {
  static const std::vector<LayerEntry> kLayers = {
      {"Flatten", lower_flatten},
      {"Reshape", lower_reshape},
      {"Permute", lower_permute},
      {"ZeroPadding1D", lower_zero_padding<1>},
      {"ZeroPadding2D", lower_zero_padding<2>},
      {"ZeroPadding3D", lower_zero_padding<3>},
      {"Cropping1D", lower_cropping<1>},
      {"Cropping2D", lower_cropping<2>},
      {"Cropping3D", lower_cropping<3>},
      {"UpSampling2D", lower_up_sampling},
  };
  return kLayers;
}

}  // namespace lamina
