// Pooling.
#include "base/error.h"
#include "graph/ops/families.h"
#include "graph/ops/shape_rules.h"

namespace lamina {

namespace {

std::vector<TensorType> pool_type(const Attributes& attributes, Types inputs) {
  expect_rank(inputs[0], 3, 5, "pool");
  const Shape& x = inputs[0].shape;
  const std::size_t spatial = x.size() - 2;
  const auto& pool = attributes.integers("pool_size");
  const auto& strides = attributes.integers("strides");
  if (pool.size() != spatial || strides.size() != spatial) {
    fail(ErrorCode::invalid_argument, "pooling has {} sizes and {} strides for {} spatial axes", pool.size(),
         strides.size(), spatial);
  }
  Shape result = {x[0]};
  for (std::size_t axis = 0; axis < spatial; ++axis) {
    result.push_back(
        window_output(x[axis + 1], pool[axis], strides[axis], 1, attributes.text("padding"), "pool"));
  }
  result.push_back(x.back());
  return {{inputs[0].dtype, result}};
}

double pool_flops(const Attributes& attributes, Types inputs, Types outputs) {
  double window = 1;
  for (const std::int64_t size : attributes.integers("pool_size")) window *= static_cast<double>(size);
  return window * output_elements(attributes, inputs, outputs);
}

}  // namespace

std::span<const OpSpec> window_ops() {
  const std::vector<AttributeSpec> attributes = {{"pool_size", std::vector<std::int64_t>{}, true},
                                                 {"strides", std::vector<std::int64_t>{}, true},
                                                 {"padding", std::string("valid"), false, {"valid", "same"}}};
  static const std::vector<OpSpec> kOps = {{"max_pool", 1, 1, attributes, pool_type, pool_flops},
                                           {"average_pool", 1, 1, attributes, pool_type, pool_flops}};
  return kOps;
}

}  // namespace lamina
