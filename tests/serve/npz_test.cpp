// Archives of arrays against NumPy, which wrote the format.
#include "serve/npz.h"

#include "base/error.h"
#include "base/file.h"
#include "graph/npy.h"
#include "support/python.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr std::uint64_t kMegabyte = 1 << 20;

// What a Python script that is given a file name writes there.
Buffer made_by_python(const std::string& script) {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "made.npz").string();
  run_python("import sys, io, zipfile, numpy as np\npath = sys.argv[1]\n" + script, {path});
  const std::string bytes = read_file(path, 64 * kMegabyte);
  return Buffer::copy(std::as_bytes(std::span(bytes)));
}

std::string error_of(const Buffer& file, std::uint64_t limit = kMegabyte) {
  try {
    read_npz(file, limit, "x.npz");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Npz, ReadsWhatNumpyWrites) {
  for (const std::string function : {"savez", "savez_compressed"}) {
    const std::vector<NamedTensor> arrays = read_npz(
        made_by_python(
            "np." + function +
            "(path, **{'a/b': np.arange(6, dtype=np.float32).reshape(2, 3), 'n': np.array([7, 8])})"),
        kMegabyte, "x.npz");
    ASSERT_EQ(arrays.size(), 2U) << function;
    EXPECT_EQ(arrays[0].name, "a/b");
    EXPECT_EQ(arrays[0].tensor.shape(), (Shape{2, 3}));
    EXPECT_EQ(arrays[0].tensor.to_floats(), (std::vector<float>{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(arrays[1].name, "n");
    EXPECT_EQ(arrays[1].tensor.dtype(), DType::i64);
  }
}

TEST(Npz, NumpyReadsWhatItWrites) {
  const std::vector<float> values = {1.5F, -2.0F, 0.25F};
  const std::vector<std::int64_t> numbers = {1, 1LL << 40};
  const Buffer file =
      write_npz({{"scores", Tensor::of({1, 3}, values)}, {"größe", Tensor::of({2}, numbers)}});
  EXPECT_TRUE(is_npz(file));
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "y.npz").string();
  write_file(path, std::string_view(reinterpret_cast<const char*>(file.data()), file.size()));
  EXPECT_EQ(run_python("import sys, numpy as np\n"
                       "z = np.load(sys.argv[1])\n"
                       "print(sorted(z.files), z['scores'].tolist(), z['scores'].dtype, z['größe'].tolist())",
                       {path}),
            "['größe', 'scores'] [[1.5, -2.0, 0.25]] float32 [1, 1099511627776]\n");
}

TEST(Npz, AnEmptyArchiveHoldsNothing) {
  const Buffer file = made_by_python("np.savez(path)");
  EXPECT_TRUE(is_npz(file));
  EXPECT_TRUE(read_npz(file, kMegabyte, "x.npz").empty());
}

TEST(Npz, ABombIsNotUnpacked) {
  const Buffer bomb = made_by_python("np.savez_compressed(path, x=np.zeros(16 << 20, np.uint8))");
  EXPECT_LT(bomb.size(), kMegabyte);
  EXPECT_NE(error_of(bomb).find("'x.npy' unpacks to 16777"), std::string::npos) << error_of(bomb);
  // Many arrays that are each within the limit do not get past it together.
  EXPECT_NE(error_of(made_by_python("np.savez(path, *[np.zeros(1000) for _ in range(10)])"), 40'000)
                .find("unpacks"),
            std::string::npos);
}

TEST(Npz, ADeclaredSizeThatLiesIsAnError) {
  // The size of the entry in the central directory and the local header says 100 more than there is.
  const std::string lie =
      "np.savez_compressed(path, x=np.zeros(1000))\n"
      "data = bytearray(open(path, 'rb').read())\n"
      "central = data.rindex(b'PK\\x01\\x02')\n"
      "size = int.from_bytes(data[central + 24:central + 28], 'little')\n";
  EXPECT_NE(
      error_of(made_by_python(lie + "data[central + 24:central + 28] = (size + 100).to_bytes(4, 'little')\n"
                                    "open(path, 'wb').write(data)")),
      "no error");
  EXPECT_NE(
      error_of(made_by_python(lie + "data[central + 24:central + 28] = (size - 100).to_bytes(4, 'little')\n"
                                    "open(path, 'wb').write(data)")),
      "no error");
}

TEST(Npz, ADamagedArrayIsAnError) {
  const Buffer damaged = made_by_python(
      "np.savez(path, x=np.arange(1000))\n"
      "data = bytearray(open(path, 'rb').read())\n"
      "data[4000] ^= 1\n"
      "open(path, 'wb').write(data)");
  EXPECT_NE(error_of(damaged).find("x.npy"), std::string::npos) << error_of(damaged);
}

TEST(Npz, OtherFilesAndNamesThatStandTwiceAreErrors) {
  EXPECT_NE(
      error_of(made_by_python("z = zipfile.ZipFile(path, 'w')\nz.writestr('x.txt', 'hello')\nz.close()"))
          .find("'x.txt'"),
      std::string::npos);
  EXPECT_NE(error_of(made_by_python(
                         "import warnings\nwarnings.simplefilter('ignore')\n"
                         "f = io.BytesIO()\nnp.save(f, np.zeros(3))\n"
                         "z = zipfile.ZipFile(path, 'w')\n"
                         "z.writestr('x.npy', f.getvalue())\nz.writestr('x.npy', f.getvalue())\nz.close()"))
                .find("twice"),
            std::string::npos);
  EXPECT_NE(error_of(made_by_python("np.savez(path, x=np.array([{}], dtype=object))")), "no error");
}

TEST(Npz, TruncationAnywhereIsAnError) {
  const Buffer whole = made_by_python("np.savez(path, x=np.arange(10), y=np.arange(3))");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(error_of(whole.slice(0, size)), "no error") << size;
  }
}

}  // namespace
}  // namespace lamina
