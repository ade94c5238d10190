#include "base/text.h"

#include "base/error.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

TEST(Text, SizesAreReadAsPeopleWriteThem) {
  EXPECT_EQ(parse_bytes("2GiB", "--memory"), 2ULL << 30);
  EXPECT_EQ(parse_bytes("512 MiB", "--memory"), 512ULL << 20);
  EXPECT_EQ(parse_bytes("1.5GB", "--memory"), 1500000000ULL);
  EXPECT_EQ(parse_bytes("4k", "--memory"), 4096ULL);
  EXPECT_EQ(parse_bytes("17", "--memory"), 17ULL);
}

TEST(Text, BadSizesAreNamed) {
  for (const char* text : {"", "GiB", "-1GiB", "2 parsecs", "nan", "inf", "1e30GiB", "2GiBx"}) {
    try {
      parse_bytes(text, "--memory");
      FAIL() << "'" << text << "' was taken for a size";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_NE(std::string(error.what()).find("--memory"), std::string::npos);
    }
  }
}

TEST(Text, DurationsAreReadAsPeopleWriteThem) {
  EXPECT_EQ(parse_duration("50ms", "--deadline"), std::chrono::milliseconds(50));
  EXPECT_EQ(parse_duration("1.5min", "--deadline"), std::chrono::seconds(90));
  EXPECT_EQ(parse_duration("250us", "--deadline"), std::chrono::microseconds(250));
  EXPECT_THROW(parse_duration("50", "--deadline"), Error);
  EXPECT_THROW(parse_duration("soon", "--deadline"), Error);
}

TEST(Text, ATableAlignsNumbersRightAndWordsLeft) {
  EXPECT_EQ(format_table({{"name", "size"}, {"a", "10 B"}, {"longer", "9 B"}}),
            "name    size\n"
            "a       10 B\n"
            "longer   9 B\n");
}

TEST(Text, ATableCountsCharactersNotBytes) {
  EXPECT_EQ(format_table({{"ä", "b"}, {"long", "x"}}), "ä     b\nlong  x\n");
}

}  // namespace
}  // namespace lamina
