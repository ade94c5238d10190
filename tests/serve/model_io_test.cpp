// Bodies as inputs: names, element types, shapes.
#include "serve/model_io.h"

#include "base/error.h"
#include "base/file.h"
#include "graph/npy.h"
#include "serve/npz.h"
#include "support/python.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr std::uint64_t kMegabyte = 1 << 20;

Signature two_inputs() {
  return {{{"image", {DType::f32, {kBatch, 2}}}, {"index", {DType::i32, {kBatch, 1}}}},
          {{"scores", {DType::f32, {kBatch, 2}}}, {"box", {DType::f32, {kBatch, 4}}}}};
}

Signature one_input(DType dtype) {
  return {{{"x", {dtype, {kBatch, 3}}}}, {{"y", {DType::f32, {kBatch, 1}}}}};
}

Tensor image() { return Tensor::of({1, 2}, std::vector<float>{0.5F, 0.25F}); }
Tensor index() { return Tensor::of({1, 1}, std::vector<std::int64_t>{7}); }

std::string error_of(const Buffer& body, const Signature& signature, std::string_view input = "") {
  try {
    read_inputs(body, signature, input, kMegabyte);
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + ": " + error.what();
  }
  return "no error";
}

// An array of three elements of that type, made by NumPy, and what NumPy makes of it as float32.
TEST(ModelIo, ArraysOfEveryRealTypeBecomeTheModelsFloat32AsInNumpy) {
  for (const std::string dtype :
       {"float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"}) {
    const TemporaryDirectory directory;
    const std::string path = (directory.path() / "x.npy").string();
    const std::string expected = (directory.path() / "y.npy").string();
    run_python(
        "import sys, numpy as np\n"
        "x = np.array([[0, 1.1, 100.7]]).astype(sys.argv[3])\n"
        "np.save(sys.argv[1], x); np.save(sys.argv[2], x.astype(np.float32))",
        {path, expected, dtype});
    const std::string body = read_file(path, kMegabyte);
    const std::string truth = read_file(expected, kMegabyte);
    const std::vector<Tensor> inputs =
        read_inputs(Buffer::copy(std::as_bytes(std::span(body))), one_input(DType::f32), "", kMegabyte);
    ASSERT_EQ(inputs.size(), 1U);
    EXPECT_EQ(inputs[0].to_floats(),
              read_npy(Buffer::copy(std::as_bytes(std::span(truth))), "truth").to_floats())
        << dtype;
  }
}

TEST(ModelIo, FractionsAreNotCutOffForAnIntegerInput) {
  const Buffer body = write_npy(Tensor::of({1, 3}, std::vector<float>{1, 2, 3}));
  EXPECT_EQ(error_of(body, one_input(DType::i32)).rfind("invalid_argument: input 'x' is float32 (1, 3)", 0),
            0U)
      << error_of(body, one_input(DType::i32));
  EXPECT_EQ(error_of(write_npy(Tensor::of({1, 3}, std::vector<std::int64_t>{1, 2, 1LL << 40})),
                     one_input(DType::i32))
                .rfind("invalid_argument: input 'x'", 0),
            0U);
  EXPECT_EQ(
      error_of(write_npy(Tensor::of({1, 3}, std::vector<std::int64_t>{1, 2, 3})), one_input(DType::i32)),
      "no error");
}

TEST(ModelIo, AWrongShapeNamesTheTypeThatWasSent) {
  const Buffer body = write_npy(Tensor::of({2, 4}, std::vector<std::int64_t>(8)));
  const std::string error = error_of(body, one_input(DType::f32));
  EXPECT_NE(error.find("(2, 4)"), std::string::npos) << error;
  EXPECT_NE(error.find("float32 (batch, 3)"), std::string::npos) << error;
  EXPECT_NE(error.find("'x' was sent as int64"), std::string::npos) << error;
}

TEST(ModelIo, SeveralInputsComeByNameInAnyOrder) {
  const std::vector<Tensor> inputs =
      read_inputs(write_npz({{"index", index()}, {"image", image()}}), two_inputs(), "", kMegabyte);
  ASSERT_EQ(inputs.size(), 2U);
  EXPECT_EQ(inputs[0].to_floats(), (std::vector<float>{0.5F, 0.25F}));
  EXPECT_EQ(inputs[1].dtype(), DType::i32);
}

TEST(ModelIo, InputsWithoutNamesComeInOrder) {
  const std::vector<Tensor> inputs =
      read_inputs(write_npz({{"arr_0", image()}, {"arr_1", index()}}), two_inputs(), "", kMegabyte);
  EXPECT_EQ(inputs[0].shape(), (Shape{1, 2}));
  EXPECT_EQ(inputs[1].shape(), (Shape{1, 1}));
}

TEST(ModelIo, WrongNamesAreToldTheRightOnes) {
  for (const std::vector<NamedTensor>& arrays : {std::vector<NamedTensor>{{"image", image()}},
                                                 {{"image", image()}, {"idx", index()}},
                                                 {{"image", image()}, {"index", index()}, {"more", index()}},
                                                 {{"image", image()}, {"arr_0", image()}},
                                                 {{"image", image()}, {"arr_9", index()}}}) {
    const std::string error = error_of(write_npz(arrays), two_inputs());
    EXPECT_EQ(error.rfind("invalid_argument: the .npz holds ", 0), 0U) << error;
    EXPECT_NE(error.find("'index' int32 (batch, 1)"), std::string::npos) << error;
  }
  const std::string error = error_of(write_npy(image()), two_inputs());
  EXPECT_NE(error.find("expected an .npz of 'image' float32 (batch, 2)"), std::string::npos) << error;
}

TEST(ModelIo, OneOutputIsAnNpySeveralAreAnNpz) {
  const std::vector<Tensor> outputs = {Tensor::of({1, 2}, std::vector<float>{1, 2}),
                                       Tensor::of({1, 4}, std::vector<float>{3, 4, 5, 6})};
  const auto bytes = [](const Reply& reply) {
    std::string all;
    for (const Buffer& part : reply.body) all.append(reinterpret_cast<const char*>(part.data()), part.size());
    return Buffer::copy(std::as_bytes(std::span(all)));
  };
  const Reply both = outputs_reply(outputs, two_inputs(), "", "*/*");
  EXPECT_EQ(both.content_type, "application/x-npz");
  const std::vector<NamedTensor> read = read_npz(bytes(both), kMegabyte, "answer");
  EXPECT_EQ(read.at(1).name, "box");
  EXPECT_EQ(read.at(1).tensor.to_floats(), (std::vector<float>{3, 4, 5, 6}));

  const Reply picked = outputs_reply(outputs, two_inputs(), "box", "*/*");
  EXPECT_EQ(picked.content_type, "application/x-npy");
  EXPECT_EQ(read_npy(bytes(picked), "answer").to_floats(), (std::vector<float>{3, 4, 5, 6}));

  const Reply asked = outputs_reply(outputs, two_inputs(), "box", "text/html, application/x-npz");
  EXPECT_EQ(asked.content_type, "application/x-npz");
  EXPECT_EQ(read_npz(bytes(asked), kMegabyte, "answer").at(0).name, "box");

  EXPECT_THROW(outputs_reply({outputs[0]}, two_inputs(), "", ""), Error);
}

}  // namespace
}  // namespace lamina
