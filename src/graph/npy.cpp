#include "graph/npy.h"

#include "base/error.h"
#include "base/file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

namespace lamina {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeader = 1U << 16U;
constexpr std::size_t kMaxRank = 32;

struct Kind {
  DType dtype;
  std::string_view code;  // NumPy's letter and size
};

// bfloat16 has no code of NumPy's own; ml_dtypes writes it as 2 raw bytes, which says too little to be read
// back.
constexpr std::array<Kind, 12> kKinds = {{{DType::f64, "f8"},
                                          {DType::f32, "f4"},
                                          {DType::f16, "f2"},
                                          {DType::i64, "i8"},
                                          {DType::i32, "i4"},
                                          {DType::i16, "i2"},
                                          {DType::i8, "i1"},
                                          {DType::u64, "u8"},
                                          {DType::u32, "u4"},
                                          {DType::u16, "u2"},
                                          {DType::u8, "u1"},
                                          {DType::boolean, "b1"}}};

// Reads the header's Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  struct Header {
    std::string descr;
    bool fortran_order = false;
    Shape shape;
  };

  Header parse() {
    std::optional<std::string> descr;
    std::optional<bool> fortran;
    std::optional<Shape> shape;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !descr) {
        descr = descriptor();
      } else if (key == "fortran_order" && !fortran) {
        fortran = boolean();
      } else if (key == "shape" && !shape) {
        shape = tuple();
      } else {
        broken("key '" + key + "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (!text_.empty() || !descr || !fortran || !shape) broken("the end");
    return {*descr, *fortran, *shape};
  }

 private:
  [[noreturn]] void broken(const std::string& what) const {
    fail(ErrorCode::corrupt, "{}: the .npy header breaks off at {}, expected descr, fortran_order and shape",
         where_, what);
  }
  void skip_space() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n')) text_.remove_prefix(1);
  }
  bool accept(char c) {
    skip_space();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) broken(std::string("'") + c + "'");
  }
  std::string quoted() {
    skip_space();
    if (text_.empty() || (text_[0] != '\'' && text_[0] != '"')) broken("a text");
    const std::size_t end = text_.find(text_[0], 1);
    if (end == std::string_view::npos) broken("a text");
    std::string value(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return value;
  }
  std::string descriptor() {
    skip_space();
    if (!text_.empty() && text_[0] == '[') {
      fail(ErrorCode::unsupported, "{}: a structured array, expected plain numbers", where_);
    }
    return quoted();
  }
  bool boolean() {
    skip_space();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (text_.starts_with(word)) {
        text_.remove_prefix(word.size());
        return value;
      }
    }
    broken("fortran_order");
  }
  Shape tuple() {
    Shape shape;
    bool comma = false;
    expect('(');
    while (!accept(')')) {
      skip_space();
      std::int64_t size = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0 || shape.size() >= kMaxRank) broken("shape");
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      // Python 2 marked its long integers.
      if (text_.starts_with('L')) text_.remove_prefix(1);
      shape.push_back(size);
      comma = accept(',');
      if (!comma) {
        expect(')');
        break;
      }
    }
    // In Python (3) is a number, (3,) a tuple.
    if (shape.size() == 1 && !comma) broken("shape");
    return shape;
  }

  std::string_view text_;
  const std::string& where_;
};

// Whether every byte is 0 or 1, as this program's booleans are.
bool are_booleans(const Buffer& data) {
  return std::all_of(data.bytes().begin(), data.bytes().end(),
                     [](std::byte value) { return value <= std::byte{1}; });
}

void reverse_bytes(std::byte* data, std::size_t count, std::size_t size) {
  for (std::size_t i = 0; i < count; ++i) std::reverse(data + i * size, data + (i + 1) * size);
}

// Column-major to row-major order.
void reorder(const std::byte* from, std::byte* to, const Shape& shape, std::size_t size) {
  const auto count = static_cast<std::size_t>(element_count(shape));
  std::vector<std::size_t> strides(shape.size());  // of `from`, in elements
  std::size_t stride = 1;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    strides[axis] = stride;
    stride *= static_cast<std::size_t>(shape[axis]);
  }
  std::vector<std::int64_t> index(shape.size(), 0);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t offset = 0;
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
      offset += static_cast<std::size_t>(index[axis]) * strides[axis];
    std::memcpy(to + i * size, from + offset * size, size);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

DType find_dtype(std::string_view code, std::string_view descr, const std::string& where) {
  for (const Kind& kind : kKinds) {
    if (kind.code == code) return kind.dtype;
  }
  fail(ErrorCode::unsupported, "{}: an array of dtype '{}', expected plain numbers", where, descr);
}

}  // namespace

Tensor read_npy(const Buffer& file, const std::string& where) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (!text.starts_with(kMagic) || text.size() < 10) {
    fail(ErrorCode::corrupt, "{}: not an .npy file, expected it to begin with \\x93NUMPY", where);
  }
  const auto byte_at = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(text[i]));
  };
  const std::size_t version = byte_at(6);
  if (version < 1 || version > 3) {
    fail(ErrorCode::unsupported, "{}: .npy version {}, expected 1 to 3", where, version);
  }
  std::size_t begin = 10;
  std::size_t length = byte_at(8) | byte_at(9) << 8U;
  if (version > 1) {
    if (text.size() < 12) fail(ErrorCode::corrupt, "{}: the .npy header is cut off", where);
    begin = 12;
    length |= byte_at(10) << 16U | byte_at(11) << 24U;
  }
  if (length > kMaxHeader || text.size() - begin < length) {
    fail(ErrorCode::corrupt, "{}: an .npy header of {} bytes, expected at most {} of the {} there", where,
         length, kMaxHeader, text.size() - begin);
  }
  const auto header = HeaderParser(text.substr(begin, length), where).parse();
  const bool big_endian = header.descr.starts_with('>');
  if (header.descr.empty() || std::string_view("<>|=").find(header.descr[0]) == std::string_view::npos) {
    fail(ErrorCode::unsupported, "{}: an array of dtype '{}', expected plain numbers", where, header.descr);
  }
  const TensorType type{find_dtype(std::string_view(header.descr).substr(1), header.descr, where),
                        header.shape};
  std::uint64_t expected = 0;
  try {
    expected = byte_size(type, 1);
  } catch (const Error& error) {
    fail(ErrorCode::corrupt, "{}: {}", where, error.what());
  }
  const Buffer data = file.slice(begin + length, text.size() - begin - length);
  if (data.size() != expected) {
    fail(ErrorCode::corrupt, "{}: {} bytes of data, expected {} for {}", where, data.size(), expected,
         to_string(type));
  }
  const std::size_t size = size_of(type.dtype);
  const bool row_major = !header.fortran_order || type.shape.size() < 2;
  const bool odd_booleans = type.dtype == DType::boolean && !are_booleans(data);
  if (row_major && (!big_endian || size == 1) && !odd_booleans) return {type, data};
  auto block = allocate_bytes(data.size());
  if (row_major) {
    std::copy(data.bytes().begin(), data.bytes().end(), block.get());
  } else {
    reorder(data.data(), block.get(), type.shape, size);
  }
  if (big_endian) reverse_bytes(block.get(), data.size() / size, size);
  if (odd_booleans) {
    std::transform(block.get(), block.get() + data.size(), block.get(),
                   [](std::byte value) { return value == std::byte{0} ? value : std::byte{1}; });
  }
  return {type, Buffer::take(std::move(block), data.size())};
}

Tensor load_npy(const std::filesystem::path& path) { return read_npy(map_file(path), path.string()); }

std::string npy_header(const TensorType& type) {
  const auto kind =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& k) { return k.dtype == type.dtype; });
  if (kind == kKinds.end()) {
    fail(ErrorCode::unsupported, "an .npy file has no way to say {}", to_string(type.dtype));
  }
  if (is_symbolic(type.shape)) {
    fail(ErrorCode::invalid_argument, "an .npy file needs a shape of numbers, not {}", to_string(type.shape));
  }
  std::string shape;
  for (const std::int64_t size : type.shape) shape += fmt::format("{}, ", size);
  if (type.shape.size() > 1) shape.resize(shape.size() - 2);
  if (type.shape.size() == 1) shape.pop_back();
  const char order = size_of(type.dtype) == 1 ? '|' : '<';
  std::string dictionary =
      fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}", order, kind->code, shape);
  const std::size_t unpadded = 10 + dictionary.size() + 1;
  dictionary += std::string((64 - unpadded % 64) % 64, ' ') + "\n";
  std::string header(kMagic);
  header += '\x01';
  header += '\x00';
  header += static_cast<char>(dictionary.size() & 0xFFU);
  header += static_cast<char>(dictionary.size() >> 8U);
  return header + dictionary;
}

Buffer write_npy(const Tensor& tensor) {
  const std::string header = npy_header(tensor.type());
  const std::size_t size = header.size() + tensor.data().size();
  auto block = allocate_bytes(size);
  std::memcpy(block.get(), header.data(), header.size());
  if (!tensor.data().empty())
    std::memcpy(block.get() + header.size(), tensor.data().data(), tensor.data().size());
  return Buffer::take(std::move(block), size);
}

void save_npy(const std::filesystem::path& path, const Tensor& tensor) {
  AtomicFile file(path);
  file.write(npy_header(tensor.type()));
  file.write(tensor.data().bytes());
  file.commit();
}

}  // namespace lamina
