#include "plan/plan_svg.h"

#include <regex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

struct Circle {
  double x = 0;
  double y = 0;
  double radius = 0;
};

std::vector<Circle> circles_of(const std::string& svg) {
  static const std::regex kCircle("<circle cx=\"([-0-9.]+)\" cy=\"([-0-9.]+)\" r=\"([0-9.]+)\"");
  std::vector<Circle> circles;
  for (std::sregex_iterator at(svg.begin(), svg.end(), kCircle), end; at != end; ++at)
    circles.push_back({std::stod((*at)[1]), std::stod((*at)[2]), std::stod((*at)[3])});
  return circles;
}

Plan plan_of(double latency, double period) {
  Plan plan;
  plan.model = "model";
  plan.source = "a";
  plan.devices.resize(1);
  plan.devices[0].name = "a";
  plan.stages = {{"all", {{"a"}}, 0, 1, latency}};
  plan.latency = latency;
  plan.period = period;
  return plan;
}

const std::vector<PlanPoint> kFront = {{0.1, 0.02}, {0.2, 0.01}, {0.3, 0.005}};

// The plan's circle is the last and the largest. The scales are those of the others: latency from the left to
// the right, requests a second from below.
void expect_marked(const Plan& plan, const std::vector<PlanPoint>& front, double latency, double rate) {
  const std::string svg = plan_svg(plan, front);
  const std::vector<Circle> circles = circles_of(svg);
  ASSERT_EQ(circles.size(), front.size() + 1);
  const Circle& marker = circles.back();
  EXPECT_GT(marker.radius, circles.front().radius);
  const double x_scale = (circles[2].x - circles[0].x) / (front[2].latency - front[0].latency);
  const double y_scale = (circles[2].y - circles[0].y) / (1 / front[2].period - 1 / front[0].period);
  EXPECT_NEAR(marker.x, circles[0].x + x_scale * (latency - front[0].latency), 1);
  EXPECT_NEAR(marker.y, circles[0].y + y_scale * (rate - 1 / front[0].period), 1);
  std::smatch size;
  ASSERT_TRUE(std::regex_search(svg, size, std::regex("width=\"([0-9]+)\" height=\"([0-9]+)\"")));
  for (const Circle& circle : circles) {
    EXPECT_GT(circle.x, 0);
    EXPECT_LT(circle.x, std::stod(size[1]));
    EXPECT_GT(circle.y, 0);
    EXPECT_LT(circle.y, std::stod(size[2]));
  }
}

TEST(PlanPicture, MarksThePlanOnTheFront) { expect_marked(plan_of(0.2, 0.01), kFront, 0.2, 100); }

TEST(PlanPicture, MarksAPlanOfBatchesByTheRateOfItsRequests) {
  Plan plan = plan_of(0.2, 0.08);
  plan.batch = 8;
  plan.joining.emplace();
  expect_marked(plan, kFront, 0.2, 100);
  EXPECT_NE(plan_svg(plan, kFront).find("at most 100 requests/s"), std::string::npos);
}

TEST(PlanPicture, HasRoomForAPlanThatIsBestAtSomethingElse) {
  expect_marked(plan_of(1.5, 0.2), kFront, 1.5, 5);
  expect_marked(plan_of(0.25, 0.002), kFront, 0.25, 500);
}

}  // namespace
}  // namespace lamina
