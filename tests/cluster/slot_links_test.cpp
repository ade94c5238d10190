#include "cluster/slot_links.h"

#include "base/error.h"

#include <functional>
#include <string>

#include <gtest/gtest.h>

namespace lamina {
namespace {

const Signature kStage{{{"a", {DType::f32, {kBatch, 4}}}, {"b", {DType::f32, {kBatch, 2}}}},
                       {{"y", {DType::f32, {kBatch, 4}}}}};

// The inputs of each part.
v1::ConnectRequest request_of(const Parts& parts) {
  v1::ConnectRequest request;
  for (const auto& inputs : parts) {
    v1::Part& part = *request.add_parts();
    for (const std::size_t input : inputs) part.add_inputs(static_cast<std::uint32_t>(input));
  }
  return request;
}

std::string refusal_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    return error.what();
  }
  return "";
}

TEST(SlotRoutes, HoldPartsAsTheyWereAskedForAndAQueueOfOneAtLeast) {
  const SlotRoute route = route_of(request_of({{1}, {0}}), kStage, "w");
  EXPECT_EQ(route.parts, (Parts{{1}, {0}}));
  EXPECT_EQ(route.queue, 1U);
  EXPECT_TRUE(route_of({}, kStage, "w").parts.empty());
}

TEST(SlotRoutes, NeedEachInputInOnePart) {
  const auto refused = [](const Parts& parts) {
    return refusal_of([&] { route_of(request_of(parts), kStage, "w"); });
  };
  EXPECT_EQ(refused({{0}, {0, 1}}), "input 0 comes twice or is none of 2");
  EXPECT_EQ(refused({{0, 1}, {2}}), "input 2 comes twice or is none of 2");
  EXPECT_EQ(refused({{1}}), "not all of 2 inputs come");
}

TEST(SlotLinks, ThatAStageCantHaveAreRefusedBeforeAnyoneIsWaitedFor) {
  const auto refused = [](const std::function<void(v1::ConnectRequest&)>& change) {
    v1::ConnectRequest request;
    v1::Consumer& consumer = *request.add_consumers();
    consumer.set_wire("f32");
    consumer.add_outputs(0);
    v1::NextPlace& place = *consumer.add_places();
    place.set_address("127.0.0.1:9");
    place.set_share(1);
    change(request);
    return refusal_of([&] { connect_slot(request, kStage, "w", {}); });
  };
  EXPECT_EQ(refused([](auto& request) { request.clear_consumers(); }), "a slot whose results go nowhere");
  EXPECT_EQ(refused([](auto& request) { request.mutable_consumers(0)->set_outputs(0, 1); }),
            "output 1 of a stage with 1");
  EXPECT_EQ(refused([](auto& request) { request.mutable_consumers(0)->mutable_places(0)->set_share(0.5); }),
            "1 next places with 0.5 of the frames, expected all");
  EXPECT_EQ(refused([](auto& request) { request.mutable_consumers(0)->mutable_places(0)->set_share(-1); }),
            "a share of -1 for '127.0.0.1:9', expected more than 0");
}

}  // namespace
}  // namespace lamina
