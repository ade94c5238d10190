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

// The vector at every step: zeros of as many steps make room for it.
std::vector<ValueId> lower_repeat_vector(LayerCall& call) {
  const Shape shape = call.shape(call.input());
  const std::int64_t count = call.integer("n", 1);
  if (shape.size() != 2 || count < 1) call.unsupported("an input " + to_string(shape));
  const ValueId rows = call.reshape(call.input(), {shape[0], 1, shape[1]});
  return {call.add("add", {rows, call.filled("zeros", {1, count, 1}, 0)})};
}

std::int64_t scaled(LayerCall& call, std::int64_t size, std::int64_t factor) {
  std::int64_t product = 0;
  if (factor < 1 || __builtin_mul_overflow(size, factor, &product)) {
    fail(ErrorCode::corrupt, "{}: its factor is {} for {} cells", call.where(), factor, size);
  }
  return product;
}

ValueId resize(LayerCall& call, ValueId x, std::int64_t height, std::int64_t width,
               const std::string& method) {
  return call.add("resize", {x}, {{"size", std::vector<std::int64_t>{height, width}}, {"method", method}});
}

std::vector<ValueId> lower_up_sampling_1d(LayerCall& call) {
  const Shape shape = call.shape(call.input());
  if (shape.size() != 3) call.unsupported("an input " + to_string(shape));
  const std::int64_t steps = scaled(call, shape[1], call.integer("size", 2));
  const ValueId rows = call.reshape(call.input(), {shape[0], shape[1], 1, shape[2]});
  return {call.reshape(resize(call, rows, steps, 1, "nearest"), {shape[0], steps, shape[2]})};
}

std::vector<ValueId> lower_up_sampling_2d(LayerCall& call) {
  call.expect_channels_last();
  const std::vector<std::int64_t> factor = call.integers("size", 2, 2);
  const std::string method = call.text("interpolation", "nearest");
  if (method != "nearest" && method != "bilinear") call.unsupported("interpolation '" + method + "'");
  const Shape& shape = call.shape(call.input());
  if (shape.size() != 4) call.unsupported("an input " + to_string(shape));
  return {resize(call, call.input(), scaled(call, shape[1], factor[0]), scaled(call, shape[2], factor[1]),
                 method)};
}

// The depth first, with height and width as one axis, then these two, with depth as a part of the batch.
std::vector<ValueId> lower_up_sampling_3d(LayerCall& call) {
  call.expect_channels_last();
  const std::vector<std::int64_t> factor = call.integers("size", 3, 2);
  const Shape shape = call.shape(call.input());
  if (shape.size() != 5) call.unsupported("an input " + to_string(shape));
  const std::int64_t depth = scaled(call, shape[1], factor[0]);
  const std::int64_t height = scaled(call, shape[2], factor[1]);
  const std::int64_t width = scaled(call, shape[3], factor[2]);
  const std::int64_t plane = scaled(call, shape[2], shape[3]);
  ValueId x = call.reshape(call.input(), {shape[0], shape[1], plane, shape[4]});
  x = resize(call, x, depth, plane, "nearest");
  x = call.reshape(x, {scaled(call, shape[0], depth), shape[2], shape[3], shape[4]});
  x = resize(call, x, height, width, "nearest");
  return {call.reshape(x, {shape[0], depth, height, width, shape[4]})};
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
      {"RepeatVector", lower_repeat_vector},
      {"UpSampling1D", lower_up_sampling_1d},
      {"UpSampling2D", lower_up_sampling_2d},
      {"UpSampling3D", lower_up_sampling_3d},
  };
  return kLayers;
}

}  // namespace lamina
