#include "graph/safetensors.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace lamina {

namespace {

constexpr std::uint64_t kMaxHeader = 100'000'000;  // the limit of the format itself
constexpr std::size_t kAlignment = 64;
constexpr std::string_view kMetadata = "__metadata__";

constexpr std::array<std::pair<DType, std::string_view>, 13> kNames = {{{DType::f64, "F64"},
                                                                        {DType::f32, "F32"},
                                                                        {DType::f16, "F16"},
                                                                        {DType::bf16, "BF16"},
                                                                        {DType::i64, "I64"},
                                                                        {DType::i32, "I32"},
                                                                        {DType::i16, "I16"},
                                                                        {DType::i8, "I8"},
                                                                        {DType::u64, "U64"},
                                                                        {DType::u32, "U32"},
                                                                        {DType::u16, "U16"},
                                                                        {DType::u8, "U8"},
                                                                        {DType::boolean, "BOOL"}}};

DType read_dtype(const std::string& name, const std::string& where) {
  for (const auto& [dtype, candidate] : kNames) {
    if (candidate == name) return dtype;
  }
  fail(ErrorCode::corrupt, "{}: dtype '{}' is not known, expected one such as F32 or I64", where, name);
}

std::string_view name_of(DType dtype) {
  for (const auto& [candidate, name] : kNames) {
    if (candidate == dtype) return name;
  }
  fail(ErrorCode::internal, "dtype {} has no safetensors name", to_string(dtype));
}

std::size_t padding(std::size_t size) { return (kAlignment - size % kAlignment) % kAlignment; }

std::string header_text(const Json& header, const std::filesystem::path& path) {
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception& error) {
    fail(ErrorCode::invalid_argument, "a tensor for '{}' has a name that is not UTF-8: {}", path.string(),
         error.what());
  }
  text.append(padding(sizeof(std::uint64_t) + text.size()), ' ');
  if (text.size() > kMaxHeader) {
    fail(ErrorCode::invalid_argument, "'{}' needs a header of {} bytes, expected at most {}", path.string(),
         text.size(), kMaxHeader);
  }
  return text;
}

}  // namespace

std::map<std::string, Tensor> read_safetensors(const Buffer& file, const std::string& where) {
  std::uint64_t length = 0;
  if (file.size() < sizeof(length)) {
    fail(ErrorCode::corrupt, "{}: {} bytes, too short for safetensors", where, file.size());
  }
  std::memcpy(&length, file.data(), sizeof(length));
  if (length > kMaxHeader || length > file.size() - sizeof(length)) {
    fail(ErrorCode::corrupt, "{}: a header of {} bytes in a file of {}", where, length, file.size());
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + sizeof(length), length);
  const Json header = parse_json(text, where);
  if (!header.is_object()) fail(ErrorCode::corrupt, "{}: the header is no JSON object", where);
  const Buffer data = file.slice(sizeof(length) + length, file.size() - sizeof(length) - length);

  std::map<std::string, Tensor> tensors;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (const auto& [name, entry] : header.items()) {
    if (name == kMetadata) continue;
    const std::string what = fmt::format("{}: tensor '{}'", where, name);
    const std::vector<std::int64_t> offsets = json_integers(entry, "data_offsets", what);
    const Shape shape = json_integers(entry, "shape", what);
    if (offsets.size() != 2 || offsets[0] < 0 || offsets[1] < offsets[0] ||
        static_cast<std::uint64_t>(offsets[1]) > data.size() || is_symbolic(shape)) {
      fail(ErrorCode::corrupt, "{}: data_offsets {} and shape {} in {} bytes of data", what,
           json_excerpt(entry["data_offsets"]), to_string(shape), data.size());
    }
    const auto begin = static_cast<std::size_t>(offsets[0]);
    const auto end = static_cast<std::size_t>(offsets[1]);
    try {
      tensors.emplace(name, Tensor({read_dtype(json_string(entry, "dtype", what), what), shape},
                                   data.slice(begin, end - begin)));
    } catch (const Error& error) {
      fail(ErrorCode::corrupt, "{}: {}", what, error.what());
    }
    ranges.emplace_back(begin, end);
  }
  std::sort(ranges.begin(), ranges.end());
  std::uint64_t reached = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != reached) {
      fail(ErrorCode::corrupt, "{}: the data between {} and {} belongs to {}", where,
           std::min(begin, reached), std::max(begin, reached), begin > reached ? "no tensor" : "two tensors");
    }
    reached = end;
  }
  if (reached != data.size()) {
    fail(ErrorCode::corrupt, "{}: {} bytes of data belong to no tensor", where, data.size() - reached);
  }
  return tensors;
}

std::map<std::string, Tensor> load_safetensors(const std::filesystem::path& path) {
  return read_safetensors(map_file(path), path.string());
}

void save_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors) {
  // Large sizes first, so that sizes which are not multiples of the alignment come last and shift nobody: the
  // format allows no padding between tensors.
  std::vector<const NamedTensor*> order;
  order.reserve(tensors.size());
  for (const NamedTensor& tensor : tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    const auto rank = [](const NamedTensor* t) {
      const std::size_t size = t->tensor.data().size();
      return size % kAlignment == 0 ? kAlignment : size & (~size + 1);
    };
    return rank(a) > rank(b);
  });
  Json header = Json::object();
  std::uint64_t offset = 0;
  for (const NamedTensor* tensor : order) {
    const std::uint64_t end = offset + tensor->tensor.data().size();
    if (header.contains(tensor->name)) {
      fail(ErrorCode::invalid_argument, "two tensors named '{}' for '{}'", tensor->name, path.string());
    }
    if (tensor->name == kMetadata) {
      fail(ErrorCode::invalid_argument, "a tensor for '{}' is named {}, which the format keeps for itself",
           path.string(), kMetadata);
    }
    header[tensor->name] = {{"dtype", name_of(tensor->tensor.dtype())},
                            {"shape", tensor->tensor.shape()},
                            {"data_offsets", {offset, end}}};
    offset = end;
  }
  const std::string text = header_text(header, path);
  const std::uint64_t length = text.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(text);
  for (const NamedTensor* tensor : order) file.write(tensor->tensor.data().bytes());
  file.commit();
}

}  // namespace lamina
