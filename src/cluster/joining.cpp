#include "cluster/joining.h"

#include "base/error.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace lamina {

namespace {

void check_end(const Signature::End& end, const char* what) {
  const Shape& shape = end.type.shape;
  if (!shape.empty() && shape.front() == kBatch && !is_symbolic({shape.begin() + 1, shape.end()})) return;
  fail(ErrorCode::unsupported,
       "requests can't be joined: {} '{}' is {}, expected the batch on its first axis only", what, end.name,
       to_string(end.type));
}

}  // namespace

void check_joinable(const Signature& signature) {
  // Without inputs there is no batch size to split by.
  if (signature.inputs.empty())
    fail(ErrorCode::unsupported, "requests can't be joined: the model has no input");
  for (const Signature::End& input : signature.inputs) check_end(input, "input");
  for (const Signature::End& output : signature.outputs) check_end(output, "output");
}

std::vector<Tensor> join_requests(std::span<const std::vector<Tensor>> requests) {
  std::vector<Tensor> joined;
  for (std::size_t input = 0; input < requests.front().size(); ++input) {
    TensorType type = requests.front()[input].type();
    type.shape.front() = 0;
    std::size_t size = 0;
    for (const std::vector<Tensor>& request : requests) {
      type.shape.front() += request[input].shape().front();
      size += request[input].data().size();
    }
    const std::shared_ptr<std::byte[]> bytes = allocate_bytes(size);
    std::byte* end = bytes.get();
    for (const std::vector<Tensor>& request : requests) {
      const auto part = request[input].data().bytes();
      end = std::copy(part.begin(), part.end(), end);
    }
    joined.emplace_back(std::move(type), Buffer::take(bytes, size));
  }
  return joined;
}

std::vector<std::vector<Tensor>> split_outputs(const Signature& signature, const std::vector<Tensor>& outputs,
                                               std::span<const std::int64_t> rows) {
  if (outputs.size() != signature.outputs.size()) {
    fail(ErrorCode::internal, "a batch was answered with {} outputs, expected {}", outputs.size(),
         signature.outputs.size());
  }
  const std::int64_t all = std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
  std::vector<std::vector<Tensor>> split(rows.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Signature::End& expected = signature.outputs[i];
    const TensorType type{expected.type.dtype, at_batch(expected.type.shape, all)};
    if (outputs[i].type() != type) {
      fail(ErrorCode::internal, "output '{}' of a batch is {}, expected {}", expected.name,
           to_string(outputs[i].type()), to_string(type));
    }
    const std::size_t row_size = outputs[i].data().size() / static_cast<std::size_t>(all);
    std::size_t begin = 0;
    for (std::size_t request = 0; request < rows.size(); ++request) {
      TensorType part = type;
      part.shape.front() = rows[request];
      const std::size_t size = row_size * static_cast<std::size_t>(rows[request]);
      split[request].emplace_back(std::move(part), outputs[i].data().slice(begin, size));
      begin += size;
    }
  }
  return split;
}

}  // namespace lamina
