#include "graph/convert.h"

#include "base/error.h"
#include "base/file.h"
#include "graph/npy.h"
#include "support/python.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

template <typename T>
std::vector<T> values_of(const Tensor& tensor) {
  std::vector<T> values(tensor.data().size() / sizeof(T));
  std::memcpy(values.data(), tensor.data().data(), tensor.data().size());
  return values;
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && std::equal(a.data().bytes().begin(), a.data().bytes().end(),
                                            b.data().bytes().begin(), b.data().bytes().end());
}

TEST(Convert, EveryHalfAndRandomFloatsConvertAsInNumPy) {
  const TemporaryDirectory directory;
  const std::string folder = directory.path().string();
  run_python(R"(
import sys, numpy as np
folder = sys.argv[1]
half = np.arange(65536, dtype=np.uint16).view(np.float16)
half = half[~np.isnan(half)]
np.save(folder + '/half.npy', half)
np.save(folder + '/half_as_float.npy', half.astype(np.float32))
bits = np.random.default_rng(0).integers(0, 2**32, 200000, dtype=np.uint32)
exact = half.astype(np.float32)
wide = np.concatenate([bits.view(np.float32), exact, np.nextafter(exact, np.float32(7))])
wide = wide[~np.isnan(wide)]
np.save(folder + '/float.npy', wide)
with np.errstate(all='ignore'):
    np.save(folder + '/float_as_half.npy', wide.astype(np.float16))
    np.save(folder + '/float_as_double.npy', wide.astype(np.float64))
    np.save(folder + '/float_as_bool.npy', wide.astype(bool))
)",
             {folder});
  const Tensor half = load_npy(folder + "/half.npy");
  const Tensor wide = load_npy(folder + "/float.npy");
  EXPECT_TRUE(same_bytes(convert(half, DType::f32), load_npy(folder + "/half_as_float.npy")));
  EXPECT_TRUE(same_bytes(convert(wide, DType::f16), load_npy(folder + "/float_as_half.npy")));
  EXPECT_TRUE(same_bytes(convert(wide, DType::f64), load_npy(folder + "/float_as_double.npy")));
  EXPECT_TRUE(same_bytes(convert(wide, DType::boolean), load_npy(folder + "/float_as_bool.npy")));
}

TEST(Convert, BrainFloatsConvertAsInMlDtypes) {
  const TemporaryDirectory directory;
  const std::string folder = directory.path().string();
  run_python(R"(
import sys, numpy as np, ml_dtypes
folder = sys.argv[1]
wide = np.random.default_rng(1).integers(0, 2**32, 200000, dtype=np.uint32).view(np.float32)
wide = wide[~np.isnan(wide)]
np.save(folder + '/float.npy', wide)
np.save(folder + '/brain.npy', wide.astype(ml_dtypes.bfloat16).view(np.uint16))
np.save(folder + '/back.npy', wide.astype(ml_dtypes.bfloat16).astype(np.float32))
)",
             {folder});
  const Tensor brain = convert(load_npy(folder + "/float.npy"), DType::bf16);
  EXPECT_EQ(values_of<std::uint16_t>(brain), values_of<std::uint16_t>(load_npy(folder + "/brain.npy")));
  EXPECT_TRUE(same_bytes(convert(brain, DType::f32), load_npy(folder + "/back.npy")));
}

TEST(Convert, FractionsAreCutOffAndSharedBytesStayShared) {
  const Tensor tensor = Tensor::of({4}, std::array{1.9F, -1.9F, 0.0F, 127.5F});
  EXPECT_EQ(values_of<std::int8_t>(convert(tensor, DType::i8)), (std::vector<std::int8_t>{1, -1, 0, 127}));
  EXPECT_EQ(convert(tensor, DType::f32).data().data(), tensor.data().data());
}

TEST(Convert, NumbersOutsideAnIntegerTypeAreRefused) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float not_a_number = std::numeric_limits<float>::quiet_NaN();
  for (const float value : {128.0F, -129.0F, infinity, not_a_number}) {
    EXPECT_THROW(convert(Tensor::scalar(value), DType::i8), Error) << value;
  }
  EXPECT_THROW(convert(Tensor::of({1}, std::array<std::int64_t, 1>{-1}), DType::u64), Error);
}

}  // namespace
}  // namespace lamina
