#include "base/json.h"

#include "base/error.h"

#include <functional>
#include <string>

#include <gtest/gtest.h>

namespace lamina {
namespace {

void expect_corrupt(const std::function<void()>& action, const std::string& named) {
  try {
    action();
    FAIL() << "no error that names " << named;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt);
    EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
  }
}

TEST(JsonReading, BadSyntaxNamesItsPlace) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":}", "nul", "\"\\ud800\"", "{\"a\":1}x"}) {
    expect_corrupt([&] { parse_json(text, "plan.json"); }, "plan.json");
  }
}

TEST(JsonReading, DeepNestingIsRefusedWithoutRecursion) {
  const std::string deep(1000000, '[');
  expect_corrupt([&] { parse_json(deep, "config"); }, "nested deeper");
  const std::string fine = std::string(200, '[') + std::string(200, ']');
  EXPECT_NO_THROW(parse_json(fine, "config"));
}

TEST(JsonReading, WrongTypesNameKeyValueAndExpectation) {
  const Json json =
      parse_json(R"({"n": "three", "m": -1, "l": [1, "x"], "big": 18446744073709551615})", "file");
  expect_corrupt([&] { json_integer(json, "n", "file"); }, "'n' is \"three\", expected an integer");
  expect_corrupt([&] { json_size(json, "m", "file"); }, "not negative");
  expect_corrupt([&] { json_integers(json, "l", "file"); }, "'l' is \"x\"");
  expect_corrupt([&] { json_integer(json, "big", "file"); }, "2^63");
  expect_corrupt([&] { json_string(json, "absent", "file"); }, "'absent' is missing");
  expect_corrupt([&] { json_member(Json::array(), "key", "file"); }, "an object with 'key'");
}

}  // namespace
}  // namespace lamina
