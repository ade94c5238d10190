#include "cluster/frame.h"

#include "base/error.h"

#include <array>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

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
  frame.tensors.push_back(Tensor::of({2, 3}, std::array{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F}));
  frame.tensors.push_back(Tensor::of({0, 3}, std::span<const float>{}));
  frame.tensors.push_back(Tensor::of({}, std::array<std::int64_t, 1>{-5}));
  return frame;
}

constexpr std::uint64_t kLimit = 1U << 20U;

TEST(Frames, ComeBackAsTheyWent) {
  const Frame sent = make_frame();
  const Frame frame = decode_frame(encode_frame(sent), kLimit);
  EXPECT_EQ(frame.header.request(), 42U);
  ASSERT_EQ(frame.tensors.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(frame.tensors[i].type(), sent.tensors[i].type());
    EXPECT_TRUE(std::equal(frame.tensors[i].data().bytes().begin(), frame.tensors[i].data().bytes().end(),
                           sent.tensors[i].data().bytes().begin(), sent.tensors[i].data().bytes().end()));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(frame.tensors[i].data().data()) % 64, 0U);
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

TEST(Frames, DamagedOnesAreReadOrRefusedButNeverMore) {
  const std::string whole = flatten(encode_frame(make_frame()));
  std::mt19937 random(3);
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = whole;
    const int changes = std::uniform_int_distribution<int>(1, 4)(random);
    for (int k = 0; k < changes; ++k) {
      damaged[std::uniform_int_distribution<std::size_t>(0, damaged.size() - 1)(random)] =
          static_cast<char>(std::uniform_int_distribution<int>(0, 255)(random));
    }
    try {
      for (const Tensor& tensor : decode_frame(unflatten(damaged), kLimit).tensors) {
        EXPECT_EQ(byte_size(tensor.type(), 1), tensor.data().size());
      }
    } catch (const Error&) {
    }
  }
}

TEST(Frames, LargerThanTheLimitIsRefused) {
  EXPECT_THROW(decode_frame(encode_frame(make_frame()), 10), Error);
}

}  // namespace
}  // namespace lamina
