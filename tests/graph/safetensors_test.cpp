#include "graph/safetensors.h"

#include "base/error.h"
#include "base/file.h"
#include "support/mutate.h"
#include "support/python.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

Buffer buffer_of(std::string_view text) { return Buffer::copy(std::as_bytes(std::span(text))); }

std::string hex_of(const Buffer& buffer) {
  std::string text;
  for (const std::byte value : buffer.bytes()) text += fmt::format("{:02x}", static_cast<unsigned>(value));
  return text;
}

// "name dtype (2,3,) bytes" as the scripts below print it.
std::string line_of(const std::string& name, const Tensor& tensor) {
  std::string shape;
  for (const std::int64_t size : tensor.shape()) shape += std::to_string(size) + ",";
  return fmt::format("{} {} ({}) {}\n", name, to_string(tensor.dtype()), shape, hex_of(tensor.data()));
}

std::string file_with(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string file(sizeof(length), '\0');
  std::memcpy(file.data(), &length, sizeof(length));
  return file + header + std::string(data_bytes, 'x');
}

constexpr const char* kPrint = R"(
def show(tensors):
    for name in sorted(tensors):
        array = tensors[name]
        shape = ''.join(f'{size},' for size in array.shape)
        print(name, array.dtype.name, f'({shape})', array.tobytes().hex())
)";

TEST(Safetensors, ReadsWhatTheOriginalLibraryWrites) {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "theirs.safetensors").string();
  const std::string listing = run_python(std::string("import sys, numpy as np\n") + kPrint + R"(
from safetensors.numpy import save_file
random = np.random.default_rng(0)
tensors = {}
for code in 'f8 f4 f2 i8 i4 i2 i1 u8 u4 u2 u1 b1'.split():
    for shape in [(), (0,), (7,), (3, 5), (2, 0, 4)]:
        values = np.asarray(random.integers(0, 2, shape))
        tensors[f'{code}/{len(shape)}/{values.size}'] = values.astype(code)
save_file(tensors, sys.argv[1], {'origin': 'test'})
show(tensors)
)",
                                         {path});
  std::string seen;
  for (const auto& [name, tensor] : load_safetensors(path)) seen += line_of(name, tensor);
  EXPECT_EQ(seen, listing);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), '\n'), 60);
}

TEST(Safetensors, TheOriginalLibraryReadsWhatIsWrittenHere) {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "ours.safetensors").string();
  Random random(1);
  std::vector<NamedTensor> tensors;
  std::map<std::string, Tensor> sorted;
  for (const DType dtype : {DType::f64, DType::f32, DType::f16, DType::i64, DType::i32, DType::i16, DType::i8,
                            DType::u64, DType::u32, DType::u16, DType::u8, DType::boolean}) {
    for (const Shape& shape : std::vector<Shape>{{}, {0}, {3}, {16}, {2, 3}, {5, 1, 13}}) {
      std::string raw(byte_size({dtype, shape}, 1), '\0');
      std::generate(raw.begin(), raw.end(), [&] { return static_cast<char>(pick(random, 2)); });
      const std::string name = fmt::format("{}/{}\"ü{}", to_string(dtype), shape.size(), raw.size());
      tensors.push_back({name, Tensor({dtype, shape}, buffer_of(raw))});
      sorted.emplace(name, tensors.back().tensor);
    }
  }
  save_safetensors(path, tensors);
  std::string expected;
  for (const auto& [name, tensor] : sorted) expected += line_of(name, tensor);
  EXPECT_EQ(run_python(std::string("import sys\nfrom safetensors.numpy import load_file\n"
                                   "sys.stdout.reconfigure(encoding='utf-8')\n") +
                           kPrint + "show(load_file(sys.argv[1]))\n",
                       {path}),
            expected);
  // And so does this program: the same tensors, each aligned for its type.
  const std::map<std::string, Tensor> back = load_safetensors(path);
  ASSERT_EQ(back.size(), sorted.size());
  for (const auto& [name, tensor] : back) {
    EXPECT_EQ(line_of(name, tensor), line_of(name, sorted.at(name)));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data().data()) % size_of(tensor.dtype()), 0U) << name;
  }
}

TEST(Safetensors, BrainFloatsAreReadByTheOriginalLibrary) {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "brain.safetensors").string();
  const Tensor tensor({DType::bf16, {2}}, buffer_of(std::string_view("\x80\x3f\x00\x40", 4)));
  save_safetensors(path, {{"x", tensor}});
  EXPECT_EQ(run_python("import sys\nfrom safetensors import deserialize\n"
                       "for name, t in deserialize(open(sys.argv[1], 'rb').read()):\n"
                       "    print(name, t['dtype'], t['shape'], bytes(t['data']).hex())\n",
                       {path}),
            "x BF16 [2] 803f0040\n");
  EXPECT_EQ(line_of("x", load_safetensors(path).at("x")), "x bfloat16 (2,) 803f0040\n");
}

TEST(Safetensors, LargeTensorsStartAtMultiplesOfSixtyFour) {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "x.safetensors").string();
  const std::vector<float> zeros(48);
  save_safetensors(path, {{"odd", Tensor::of({3}, std::span(zeros).first(3))},
                          {"large", Tensor::of({48}, zeros)},
                          {"larger", Tensor::of({3, 16}, zeros)}});
  const std::map<std::string, Tensor> back = load_safetensors(path);
  for (const char* name : {"large", "larger"}) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(back.at(name).data().data()) % 64, 0U) << name;
  }
}

TEST(Safetensors, HostileHeadersAreRefused) {
  struct Case {
    std::string header;
    std::size_t data_bytes;
  };
  for (
      const Case& bad : std::vector<Case>{
          {"", 0},
          {"{", 0},
          {"[]", 0},
          {"null", 0},
          {"{}", 1},
          {R"({"a":1})", 0},
          {R"({"a":{"dtype":"F32","shape":[1]}})", 4},
          {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", 4},
          {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4},
          {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}})", 4},
          {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4},
          {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}})", 4},
          {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4},
          {R"({"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}})", 4},
          {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4},
          {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0},
          {R"({"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}})", 4},
          {R"({"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}})", 4},
          {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
           6},
          {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[6,10]}})",
           10},
          {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 5}}) {
    SCOPED_TRACE(bad.header);
    try {
      read_safetensors(buffer_of(file_with(bad.header, bad.data_bytes)), "x.safetensors");
      ADD_FAILURE() << "was read";
    } catch (const Error& error) {
      EXPECT_EQ(to_string(error.code()), "corrupt");
      EXPECT_TRUE(std::string(error.what()).starts_with("x.safetensors: ")) << error.what();
    }
  }
  for (const std::string& file :
       {std::string(), std::string(7, '\0'), std::string(8, '\xff'), std::string("\x02\0\0\0\0\0\0\0{", 9)}) {
    EXPECT_THROW(read_safetensors(buffer_of(file), "x.safetensors"), Error);
  }
}

TEST(Safetensors, NamesThatTheFormatCannotHoldAreNotWritten) {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "x.safetensors").string();
  const Tensor tensor = Tensor::scalar(1);
  EXPECT_THROW(save_safetensors(path, {{"a", tensor}, {"a", tensor}}), Error);
  EXPECT_THROW(save_safetensors(path, {{"__metadata__", tensor}}), Error);
  EXPECT_THROW(save_safetensors(path, {{"\xff", tensor}}), Error);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(Safetensors, DamagedFilesNeverDoWorseThanAnError) {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "x.safetensors").string();
  save_safetensors(path, {{"a", Tensor::of({2, 3}, std::array<float, 6>{})}, {"b", Tensor::scalar(1)}});
  const std::string valid = read_file(path, 1U << 20U);
  Random random(3);
  int read = 0;
  for (int i = 0; i < 20000; ++i) {
    try {
      for (const auto& [name, tensor] : read_safetensors(buffer_of(mutate(valid, random)), "x")) {
        ASSERT_EQ(tensor.data().size(), byte_size(tensor.type(), 1));
      }
      ++read;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(read, 100);
}

}  // namespace
}  // namespace lamina
