#include "base/sha256.h"

#include <string>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// The examples of FIPS 180-4's companion document.
TEST(Hashing, MatchesThePublishedExamples) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Hashing, PartsGiveTheHashOfTheWhole) {
  const std::string text(1000, 'q');
  Sha256 hash;
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  hash.update(bytes.first(1));
  hash.update(bytes.subspan(1, 700));
  hash.update(bytes.subspan(701));
  EXPECT_EQ(hash.finish(), sha256(text));
}

TEST(Hashing, OnlyHashesPassForHashes) {
  EXPECT_TRUE(is_sha256(sha256("x")));
  EXPECT_FALSE(is_sha256(""));
  EXPECT_FALSE(is_sha256("../../etc/passwd"));
  EXPECT_FALSE(is_sha256(std::string(64, 'G')));
  EXPECT_FALSE(is_sha256(std::string(63, 'a')));
}

}  // namespace
}  // namespace lamina
