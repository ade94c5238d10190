#include "cluster/frame.h"

#include "base/error.h"

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr std::uint64_t kLimit = 1U << 20U;

std::string flatten(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(bytes.Dump(&slices).ok());
  std::string text;
  for (const grpc::Slice& slice : slices)
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return text;
}

grpc::ByteBuffer unflatten(const std::string& text) {
  const grpc::Slice slice(text);
  return {&slice, 1};
}

Frame make_frame() {
  Frame frame;
  frame.header.set_pipeline(7);
  frame.header.set_request(42);
  frame.header.set_microseconds_left(1000);
  const std::vector<Tensor> tensors = {Tensor::of({2, 3}, std::array{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F}),
                                       Tensor::of({0, 3}, std::span<const float>{}),
                                       Tensor::of({}, std::array<std::int64_t, 1>{-5})};
  frame.tensors = narrow(tensors, WireFormat::f32);
  return frame;
}

// Zeros, so that every format makes them smaller.
Frame make_narrow_frame(std::int64_t count) {
  const Tensor zeros = Tensor::of({count}, std::vector<float>(static_cast<std::size_t>(count)));
  Frame frame;
  for (const WireFormat format :
       {WireFormat::f32, WireFormat::bf16, WireFormat::f16, WireFormat::int8, WireFormat::lz4}) {
    frame.tensors.push_back(narrow(zeros, format));
    EXPECT_EQ(frame.tensors.back().format, format);
  }
  return frame;
}

TEST(Frames, ComeBackAsTheyWent) {
  const Frame sent = make_frame();
  const Frame frame = decode_frame(encode_frame(sent), kLimit);
  EXPECT_EQ(frame.header.request(), 42U);
  ASSERT_EQ(frame.tensors.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(frame.tensors[i].type, sent.tensors[i].type);
    EXPECT_TRUE(std::ranges::equal(frame.tensors[i].bytes.bytes(), sent.tensors[i].bytes.bytes()));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(frame.tensors[i].bytes.data()) % 64, 0U);
  }
}

TEST(Frames, TravelNarrowAndArriveNarrow) {
  const Frame sent = make_narrow_frame(1000);
  const grpc::ByteBuffer bytes = encode_frame(sent);
  EXPECT_LT(bytes.Length(), 1000U * (4 + 2 + 2 + 1 + 1));
  const Frame frame = decode_frame(bytes, kLimit);
  ASSERT_EQ(frame.tensors.size(), sent.tensors.size());
  for (std::size_t i = 0; i < sent.tensors.size(); ++i) {
    EXPECT_EQ(frame.tensors[i].format, sent.tensors[i].format);
    EXPECT_EQ(frame.tensors[i].bytes.size(), sent.tensors[i].bytes.size());
    EXPECT_EQ(widen(frame.tensors[i]).to_floats(), std::vector<float>(1000));
  }
}

TEST(Frames, SmallOnesThatWouldTakeMoreThanTheLimitOnceWidenedAreRefused) {
  Frame frame;
  frame.tensors.push_back(narrow(Tensor::of({100'000}, std::vector<float>(100'000)), WireFormat::lz4));
  const grpc::ByteBuffer bytes = encode_frame(frame);
  ASSERT_LT(bytes.Length(), 10'000U);
  EXPECT_NO_THROW(decode_frame(bytes, 400'000));
  try {
    decode_frame(bytes, 399'999);
    FAIL() << "a frame of 400,000 bytes was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt) << error.what();
  }
}

TEST(Frames, TruncatedOnesAreRefused) {
  const std::string whole = flatten(encode_frame(make_frame()));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string part = whole.substr(0, size);
    try {
      const Frame frame = decode_frame(unflatten(part), kLimit);
      // Only padding after the last tensor may be missing.
      EXPECT_EQ(frame.tensors.size(), 3U) << size;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt);
    }
  }
}

void expect_read_or_refused(const Frame& frame) {
  const std::string whole = flatten(encode_frame(frame));
  std::mt19937 random(3);
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = whole;
    const int changes = std::uniform_int_distribution<int>(1, 4)(random);
    for (int k = 0; k < changes; ++k) {
      damaged[std::uniform_int_distribution<std::size_t>(0, damaged.size() - 1)(random)] =
          static_cast<char>(std::uniform_int_distribution<int>(0, 255)(random));
    }
    try {
      for (const WireTensor& tensor : decode_frame(unflatten(damaged), kLimit).tensors) {
        EXPECT_LE(byte_size(tensor.type, 1), kLimit);
        EXPECT_EQ(byte_size(tensor.type, 1), widen(tensor).data().size());
      }
    } catch (const Error&) {
    }
  }
}

TEST(Frames, DamagedOnesAreReadOrRefusedButNeverMore) {
  expect_read_or_refused(make_frame());
  expect_read_or_refused(make_narrow_frame(20));
}

TEST(Frames, LargerThanTheLimitIsRefused) {
  EXPECT_THROW(decode_frame(encode_frame(make_frame()), 10), Error);
}

}  // namespace
}  // namespace lamina
