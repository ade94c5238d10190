#include "plan/constraints.h"

#include "base/error.h"

#include <cmath>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace lamina {
namespace {

const std::vector<std::vector<std::string>> kLayers = {{"conv1", "relu1"}, {"conv2"}, {"dense", "softmax"}};

PlacementProblem three_pieces() {
  PlacementProblem problem;
  problem.devices = {{"vm4", 1}, {"vm5", 1}};
  problem.pieces = {{"conv1 … relu1"}, {"conv2"}, {"dense … softmax"}};
  problem.cost = {{{1, 0, 0}, {1, 0, 0}, {1, 0, 0}}, {{1, 0, 0}, {1, 0, 0}, {1, 0, 0}}};
  return problem;
}

PlacementProblem apply(const std::string& text) {
  PlacementProblem problem = three_pieces();
  apply_constraints(parse_constraints(text), kLayers, problem);
  return problem;
}

bool allowed(const PlacementProblem& problem, std::size_t device, std::size_t piece) {
  return std::isfinite(problem.cost[device][piece].seconds);
}

void expect_error(const std::string& text, const std::string& named) {
  try {
    apply(text);
    FAIL() << "'" << text << "' was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
  }
}

TEST(Constraints, MustLeavesOneDeviceAndMustNotTakesOneAway) {
  const PlacementProblem problem = apply("must={conv2:vm5},mustnot={softmax:vm4}");
  EXPECT_FALSE(allowed(problem, 0, 1));
  EXPECT_TRUE(allowed(problem, 1, 1));
  EXPECT_FALSE(allowed(problem, 0, 2));
  EXPECT_TRUE(allowed(problem, 1, 2));
  EXPECT_TRUE(allowed(problem, 0, 0) && allowed(problem, 1, 0));
}

TEST(Constraints, StarsStandForAnyLettersAndQuotesAreTaken) {
  const PlacementProblem problem = apply("mustnot = { 'conv*' : \"vm4\" , \"*max\":vm5 }");
  EXPECT_FALSE(allowed(problem, 0, 0));
  EXPECT_FALSE(allowed(problem, 0, 1));
  EXPECT_TRUE(allowed(problem, 0, 2));
  EXPECT_FALSE(allowed(problem, 1, 2));
}

TEST(Constraints, NothingForbidsNothing) {
  for (const char* text : {"", " ", "must={}", "must={},mustnot={}"}) {
    const PlacementProblem problem = apply(text);
    for (std::size_t piece = 0; piece < 3; ++piece) EXPECT_TRUE(allowed(problem, 0, piece));
  }
}

TEST(Constraints, WhatNamesNothingIsNamed) {
  expect_error("must={fc1:vm4}", "'fc1'");
  expect_error("must={conv2:vm9}", "'vm9'");
  expect_error("must={conv2:vm9}", "vm4, vm5");
}

TEST(Constraints, ContradictionsAreNamed) {
  expect_error("must={conv1:vm4,relu1:vm5}", "conv1");
  expect_error("must={conv2:vm4},mustnot={conv*:vm4}", "conv*");
}

TEST(Constraints, WhatBreaksOffIsQuoted) {
  for (const char* text :
       {"must", "must=", "must={", "must={conv2", "must={conv2:", "must={conv2:vm4", "should={conv2:vm4}",
        "must={conv2:vm4}x", "must={:vm4}", "must={'conv2:vm4}", "must={conv2:vm4,}"}) {
    expect_error(text, "expected");
  }
}

TEST(Constraints, AnyTextIsParsedOrRefused) {
  std::mt19937 random(7);
  const std::string letters = "mustnot={}:,'\"* ab";
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    const std::size_t length = std::uniform_int_distribution<std::size_t>(0, 30)(random);
    for (std::size_t k = 0; k < length; ++k) {
      text += letters[std::uniform_int_distribution<std::size_t>(0, letters.size() - 1)(random)];
    }
    try {
      parse_constraints(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    }
  }
}

TEST(Constraints, ThoseKeptAreAsTheyWereWhateverTheirNamesHold) {
  const Constraints all = parse_constraints(
      "must={'a,b}':vm4},mustnot={\"c:d\":vm5},use={'x,y'},avoid={vm6},private={2},bytes={vm4>vm5:10},"
      "time={vm4:1.23456789ms}");
  const std::size_t count = to_strings(all).size();
  ASSERT_EQ(count, 7U);
  const Constraints same = keep_only(all, std::vector<bool>(count, true));
  EXPECT_EQ(to_strings(same), to_strings(all));
  EXPECT_EQ(same.must.front().pattern, "a,b}");
  EXPECT_EQ(same.time.front().seconds, all.time.front().seconds);
  for (std::size_t left_out = 0; left_out < count; ++left_out) {
    std::vector<bool> kept(count, true);
    kept[left_out] = false;
    std::vector<std::string> expected = to_strings(all);
    expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(left_out));
    EXPECT_EQ(to_strings(keep_only(all, kept)), expected);
  }
}

}  // namespace
}  // namespace lamina
