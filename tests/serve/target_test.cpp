#include "serve/target.h"

#include "base/error.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

TEST(Target, IsSplitAndDecoded) {
  const Target target = parse_target("/in%70ut?output=a%2Fb+c&input&x=1%3D2");
  EXPECT_EQ(target.path, "/input");
  EXPECT_EQ(target.query.at("output"), "a/b c");
  EXPECT_EQ(target.query.at("input"), "");
  EXPECT_EQ(target.query.at("x"), "1=2");
  EXPECT_EQ(parse_target("/a+b").path, "/a+b");
  EXPECT_TRUE(parse_target("/?&&").query.empty());
}

TEST(Target, BrokenOnesAreErrors) {
  for (const char* broken : {"", "*", "http://a/", "/%", "/%4", "/%zz", "/%+1", "/?a=%g0", "/?a=1&a=2"}) {
    EXPECT_THROW(parse_target(broken), Error) << broken;
  }
}

}  // namespace
}  // namespace lamina
