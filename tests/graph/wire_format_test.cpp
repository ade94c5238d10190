#include "graph/wire_format.h"

#include "base/error.h"
#include "base/file.h"
#include "graph/npy.h"
#include "support/mutate.h"
#include "support/python.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr std::array kAll = {WireFormat::f32, WireFormat::bf16, WireFormat::f16, WireFormat::int8,
                             WireFormat::lz4};
constexpr std::array kNarrow = {WireFormat::bf16, WireFormat::f16, WireFormat::int8, WireFormat::lz4};
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kGreatest = std::numeric_limits<float>::max();
constexpr std::size_t kBlock = 128;  // docs/formats.md

Tensor tensor_of(const std::vector<float>& values) {
  return Tensor::of({static_cast<std::int64_t>(values.size())}, values);
}

Tensor raw(DType dtype, const std::string& bytes) {
  return {{dtype, {static_cast<std::int64_t>(bytes.size() / size_of(dtype))}},
          Buffer::copy(std::as_bytes(std::span(bytes)))};
}

std::vector<float> there_and_back(const std::vector<float>& values, WireFormat format) {
  const WireTensor narrowed = narrow(tensor_of(values), format);
  EXPECT_EQ(narrowed.format, format);
  return widen(narrowed).to_floats();
}

// As many as asked for, of which half are zero.
std::vector<float> after_relu(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = std::max(normal(random), 0.0F);
  return values;
}

bool same(std::span<const std::byte> a, std::span<const std::byte> b) { return std::ranges::equal(a, b); }

void expect_corrupt(const WireTensor& tensor, const std::string& what) {
  try {
    widen(tensor);
    ADD_FAILURE() << what << " was widened";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt) << what << ": " << error.what();
  }
}

TEST(WireFormats, HaveNamesAndOthersAreRefusedWithAll) {
  for (const WireFormat format : kAll) EXPECT_EQ(wire_format_from_string(to_string(format), "here"), format);
  try {
    wire_format_from_string("f8", "here");
    FAIL() << "f8 is no format";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_STREQ(error.what(), "here: wire format 'f8', expected one of f32, bf16, f16, int8, lz4");
  }
}

// Every half, random floats, and those around the places where rounding and range change.
TEST(WireFormats, HalvesAreThoseOfNumPyAndMlDtypesSaveThatFiniteStaysFinite) {
  const TemporaryDirectory directory;
  const std::string folder = directory.path().string();
  run_python(R"(
import sys, numpy as np, ml_dtypes
folder = sys.argv[1]
bits = np.random.default_rng(0).integers(0, 2**32, 300000, dtype=np.uint32)
edges = np.concatenate([np.arange(65536, dtype=np.uint32) << 16, np.arange(65536, dtype=np.uint16).view(np.float16)
                        .astype(np.float32).view(np.uint32)])
near = np.concatenate([edges + d for d in (0, 1, 0xfff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001, 0xffffffff)]
                      ).astype(np.uint32)
wide = np.concatenate([bits, near]).view(np.float32)
np.save(folder + '/wide.npy', wide)
with np.errstate(all='ignore'):
    for name, dtype in (('f16', np.float16), ('bf16', ml_dtypes.bfloat16)):
        narrow = wide.astype(dtype)
        greatest = np.finfo(dtype).max if name == 'f16' else ml_dtypes.finfo(dtype).max
        lost = np.isinf(narrow) & np.isfinite(wide)
        narrow[lost] = (np.sign(wide[lost]) * np.float32(greatest)).astype(dtype)
        np.save(folder + f'/{name}.npy', narrow.view(np.uint16))
        every = np.arange(65536, dtype=np.uint16)
        np.save(folder + f'/{name}_wide.npy', every.view(dtype).astype(np.float32))
)",
             {folder});
  const Tensor wide = load_npy(folder + "/wide.npy");
  const std::vector<float> values = wide.to_floats();
  std::vector<std::uint16_t> every(65536);
  std::iota(every.begin(), every.end(), std::uint16_t{0});
  for (const WireFormat format : {WireFormat::f16, WireFormat::bf16}) {
    const std::string name(to_string(format));
    const WireTensor narrowed = narrow(wide, format);
    ASSERT_EQ(narrowed.bytes.size(), values.size() * 2);
    std::vector<std::uint16_t> expected(values.size());
    const Tensor truth = load_npy(folder + "/" + name + ".npy");
    std::memcpy(expected.data(), truth.data().data(), truth.data().size());
    const std::vector<float> back = widen(narrowed).to_floats();
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::uint16_t actual = 0;
      std::memcpy(&actual, narrowed.bytes.data() + 2 * i, 2);
      // Which NaN it becomes is nobody's business, but it stays one.
      if (std::isnan(values[i]) ? std::isnan(back[i]) : actual == expected[i]) continue;
      if (++wrong < 5)
        ADD_FAILURE() << name << " of " << values[i] << ": " << actual << ", not " << expected[i];
    }
    EXPECT_EQ(wrong, 0U);

    WireTensor all = narrow(Tensor::of({65536}, std::vector<float>(65536)), format);
    all.bytes = Buffer::copy(std::as_bytes(std::span(every)));
    const std::vector<float> widened = widen(all).to_floats();
    const std::vector<float> as_numpy = load_npy(folder + "/" + name + "_wide.npy").to_floats();
    for (std::size_t i = 0; i < every.size(); ++i) {
      const bool right = std::isnan(as_numpy[i]) ? std::isnan(widened[i])
                                                 : std::memcmp(&widened[i], &as_numpy[i], sizeof(float)) == 0;
      EXPECT_TRUE(right) << name << " " << every[i] << " is " << widened[i] << ", not " << as_numpy[i];
    }
  }
}

TEST(WireFormats, Int8IsOffByHalfOfA255thOfItsBlocksRange) {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    const std::size_t count = 3 + random() % 1000;
    const float magnitude = std::pow(10.0F, static_cast<float>(random() % 61) - 30);
    const float shift = static_cast<float>(static_cast<int>(random() % 5) - 2);
    std::normal_distribution<float> normal(shift, 1);
    std::vector<float> values(count);
    for (float& value : values) value = normal(random) * magnitude;
    const std::vector<float> back = there_and_back(values, WireFormat::int8);
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
      const std::size_t end = std::min(count, begin + kBlock);
      const auto [least, greatest] = std::minmax_element(values.begin() + static_cast<std::ptrdiff_t>(begin),
                                                         values.begin() + static_cast<std::ptrdiff_t>(end));
      const double range = static_cast<double>(*greatest) - *least;
      // A few roundings of float32 come on top.
      const double bound = range / 510 * 1.0001 + 4e-7 * std::max(std::fabs(*least), std::fabs(*greatest));
      for (std::size_t k = begin; k < end; ++k) ASSERT_NEAR(back[k], values[k], bound) << count << ", " << k;
    }
  }
}

TEST(WireFormats, Int8IsReadByNumPyAsItIsDescribed) {
  const TemporaryDirectory directory;
  const std::vector<float> values = after_relu(3 * kBlock + 17, 5);
  const WireTensor narrowed = narrow(tensor_of(values), WireFormat::int8);
  ASSERT_EQ(narrowed.format, WireFormat::int8);
  const std::string file = (directory.path() / "bytes").string();
  write_file(file, {reinterpret_cast<const char*>(narrowed.bytes.data()), narrowed.bytes.size()});
  run_python(R"(
import sys, numpy as np
data, count, values = open(sys.argv[1], 'rb').read(), int(sys.argv[2]), []
while count:
    scale, offset = np.frombuffer(data[:8], '<f4')
    size = min(count, 128)
    values.append(offset + scale * np.frombuffer(data[8:8 + size], np.uint8).astype(np.float32))
    data, count = data[8 + size:], count - size
assert not data
np.save(sys.argv[1] + '.npy', np.concatenate(values))
)",
             {file, std::to_string(values.size())});
  const std::vector<float> expected = load_npy(file + ".npy").to_floats();
  const std::vector<float> actual = widen(narrowed).to_floats();
  ASSERT_EQ(actual.size(), expected.size());
  // Some processors round once, some twice.
  for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-6F);
}

TEST(WireFormats, Int8KeepsConstantsAndTheZerosOfARelu) {
  for (const float constant : {0.0F, -0.0F, 3.7F, -1e-40F, kGreatest, -kGreatest}) {
    const std::vector<float> values(300, constant);
    EXPECT_EQ(there_and_back(values, WireFormat::int8), values);
  }
  const std::vector<float> values = after_relu(10'000, 3);
  const std::vector<float> back = there_and_back(values, WireFormat::int8);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == 0) {
      EXPECT_EQ(back[i], 0);
    }
  }
}

TEST(WireFormats, Int8OfRangesTooSmallToDivideIsOffByLessThanThem) {
  const std::vector<float> values = {0, 1e-38F, 1e-40F, 3e-45F, 2e-36F, 0};
  const std::vector<float> back = there_and_back(values, WireFormat::int8);
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(back[i], values[i], 3e-36);
}

TEST(WireFormats, Int8LeavesWhatItCantHoldAsItIs) {
  for (const std::size_t place : {0, 127, 128, 299}) {
    for (const float odd : {kNan, -kNan, kInfinity, -kInfinity}) {
      std::vector<float> values = after_relu(300, 1);
      values[place] = odd;
      const Tensor tensor = tensor_of(values);
      const WireTensor narrowed = narrow(tensor, WireFormat::int8);
      EXPECT_EQ(narrowed.format, WireFormat::f32);
      EXPECT_TRUE(same(widen(narrowed).data().bytes(), tensor.data().bytes()));
    }
  }
  EXPECT_EQ(narrow(tensor_of({-kGreatest, kGreatest, 0}), WireFormat::int8).format, WireFormat::f32);
}

TEST(WireFormats, WhatIsFiniteStaysFinite) {
  const std::vector<float> values = {kGreatest, -kGreatest, 65504, 65519.996F, 65520, 1e6F, -1e30F, 0};
  for (const WireFormat format : kNarrow) {
    const std::vector<float> back = widen(narrow(tensor_of(values), format)).to_floats();
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_TRUE(std::isfinite(back[i])) << to_string(format);
  }
  for (const WireFormat format : {WireFormat::bf16, WireFormat::f16}) {
    EXPECT_EQ(there_and_back({kInfinity, -kInfinity}, format), (std::vector{kInfinity, -kInfinity}));
  }
}

TEST(WireFormats, Lz4LosesNothingAndIsSmallerOrNotUsed) {
  for (const std::size_t count : {64, 1000, 100'000}) {
    const Tensor sparse = tensor_of(after_relu(count, 2));
    const WireTensor narrowed = narrow(sparse, WireFormat::lz4);
    EXPECT_EQ(narrowed.format, WireFormat::lz4);
    EXPECT_LT(narrowed.bytes.size(), sparse.data().size() * 9 / 10);
    EXPECT_TRUE(same(widen(narrowed).data().bytes(), sparse.data().bytes()));
  }
  std::mt19937 random(7);
  std::vector<float> noise(1000);
  for (float& value : noise) value = static_cast<float>(random());
  EXPECT_EQ(narrow(tensor_of(noise), WireFormat::lz4).format, WireFormat::f32);
}

TEST(WireFormats, EverySizeComesBackWithItsShape) {
  for (const WireFormat format : kAll) {
    for (std::int64_t count = 0; count < 600; ++count) {
      const Tensor tensor = Tensor::of({count, 1}, after_relu(static_cast<std::size_t>(count), 4));
      const WireTensor narrowed = narrow(tensor, format);
      EXPECT_LE(narrowed.bytes.size(), tensor.data().size());
      const Tensor back = widen(narrowed);
      EXPECT_EQ(back.type(), tensor.type());
      const std::vector<float> values = tensor.to_floats();
      const std::vector<float> seen = back.to_floats();
      for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(seen[i], values[i], 0.02);
    }
  }
}

TEST(WireFormats, BytesAtAnyAlignmentAreRead) {
  const std::vector<float> values = after_relu(1000, 6);
  std::vector<std::byte> shifted(values.size() * 4 + 1);
  std::memcpy(shifted.data() + 1, values.data(), values.size() * 4);
  const Tensor tensor({DType::f32, {1000}}, Buffer::copy(shifted).slice(1, values.size() * 4));
  for (const WireFormat format : kNarrow) {
    const WireTensor odd = narrow(tensor, format);
    EXPECT_TRUE(same(odd.bytes.bytes(), narrow(tensor_of(values), format).bytes.bytes()));
    std::vector<std::byte> moved(odd.bytes.size() + 1);
    std::ranges::copy(odd.bytes.bytes(), moved.begin() + 1);
    const WireTensor again{odd.type, format, Buffer::copy(moved).slice(1, odd.bytes.size())};
    EXPECT_TRUE(same(widen(again).data().bytes(), widen(odd).data().bytes()));
  }
}

TEST(WireFormats, OtherDtypesTravelAsTheyAreAndShareTheirBytes) {
  const std::string bytes(800, '\0');
  for (const DType dtype : {DType::f64, DType::f16, DType::bf16, DType::i64, DType::i8, DType::boolean}) {
    const Tensor tensor = raw(dtype, bytes);
    for (const WireFormat format : kAll) {
      const WireTensor narrowed = narrow(tensor, format);
      EXPECT_EQ(narrowed.format, WireFormat::f32);
      EXPECT_EQ(narrowed.bytes.data(), tensor.data().data());
      EXPECT_EQ(widen(narrowed).data().data(), tensor.data().data());
    }
  }
}

TEST(WireFormats, SizesThatDontAddUpAreCorrupt) {
  for (const WireFormat format : kAll) {
    const WireTensor good = narrow(tensor_of(std::vector<float>(1000)), format);
    ASSERT_EQ(good.format, format);
    for (const std::int64_t count : {0, 1, 2, 999, 1001, 1'000'000, 1'000'000'000}) {
      WireTensor wrong = good;
      wrong.type.shape = {count};
      expect_corrupt(wrong, std::string(to_string(format)) + " of another size");
    }
    for (std::size_t size = 0; size < good.bytes.size(); ++size) {
      WireTensor cut = good;
      cut.bytes = good.bytes.slice(0, size);
      expect_corrupt(cut, std::string(to_string(format)) + " cut short");
    }
    WireTensor symbolic = good;
    symbolic.type.shape = {-1000};
    expect_corrupt(symbolic, "a symbolic shape");
    if (format == WireFormat::f32) continue;
    WireTensor integers = good;
    integers.type.dtype = DType::i32;
    expect_corrupt(integers, "narrowed integers");
  }
}

TEST(WireFormats, Int8ScalesThatNoRangeHasAreCorrupt) {
  const WireTensor good = narrow(tensor_of(after_relu(200, 1)), WireFormat::int8);
  for (const std::size_t block : {std::size_t{0}, kBlock + 8}) {
    for (const auto& [place, odd] :
         {std::pair{0, kNan}, {0, kInfinity}, {0, -1.0F}, {4, kNan}, {4, -kInfinity}}) {
      std::vector<std::byte> bytes(good.bytes.bytes().begin(), good.bytes.bytes().end());
      std::memcpy(bytes.data() + block + static_cast<std::size_t>(place), &odd, sizeof(odd));
      expect_corrupt({good.type, WireFormat::int8, Buffer::copy(bytes)},
                     "a scale or offset of " + std::to_string(odd));
    }
  }
}

TEST(WireFormats, DamagedBytesAreWidenedToTheirSizeOrCorrupt) {
  Random random(11);
  for (const WireFormat format : kAll) {
    for (const std::size_t count : {3, 100, 1000}) {
      const WireTensor good = narrow(tensor_of(after_relu(count, 8)), format);
      const std::string bytes(reinterpret_cast<const char*>(good.bytes.data()), good.bytes.size());
      for (int i = 0; i < 2000; ++i) {
        WireTensor damaged = good;
        const std::string mutated = mutate(bytes, random);
        damaged.bytes = Buffer::copy(std::as_bytes(std::span(mutated)));
        if (pick(random, 4) == 0) damaged.type.shape = {static_cast<std::int64_t>(pick(random, 5000))};
        if (pick(random, 4) == 0) damaged.format = kAll[pick(random, kAll.size())];
        try {
          EXPECT_EQ(widen(damaged).data().size(), byte_size(damaged.type, 1));
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), ErrorCode::corrupt) << error.what();
        }
      }
    }
  }
}

}  // namespace
}  // namespace lamina
