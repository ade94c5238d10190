// The highest point of a concave function that is known by tangent planes only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace lamina {

// The function is nowhere above value(prices) = offset + slope · prices, and touches it where it was found.
struct TangentPlane {
  double offset = 0;
  std::vector<double> slope;
  std::vector<std::uint32_t> stages = {};  // that it stands for, for whoever adds it
};

// The proximal bundle method (K. C. Kiwiel, "Proximity control in bundle methods for convex nondifferentiable
// minimization", Mathematical Programming 46, 1990), for prices ≥ 0: the next prices to try are those that
// promise most by the planes known so far, less a penalty for the distance from the best prices. The weights
// of planes in that optimum say how the things that planes stand for have to be mixed.
//
// Copies share planes. Not thread safe.
class BundleMethod {
 public:
  explicit BundleMethod(std::vector<double> prices) : centre_(std::move(prices)) {}

  // What the function is at the centre, before the first step; and again when it was made higher (planes that
  // no longer count are left out before).
  void begin(double value, TangentPlane plane);
  // Prices to try next.
  std::vector<double> next();
  // What the function is there. It becomes the centre if it keeps enough of the promise.
  void add(const std::vector<double>& prices, double value, TangentPlane plane);

  const std::vector<double>& prices() const { return centre_; }
  double value() const { return value_; }
  // By how much, at most, the planes say that the steps ahead raise the value, about. After next().
  double promised() const { return promised_; }

  struct Weighted {
    std::shared_ptr<const TangentPlane> plane;
    double weight = 0;  // all together 1
    int idle = 0;       // steps since it had any
    double at_centre = 0;
  };
  const std::vector<Weighted>& planes() const { return planes_; }
  // Leaves out the planes that stand for other stages than these, which are in order.
  void keep_planes_of(const std::vector<std::uint32_t>& stages);

 private:
  void insert(TangentPlane plane);
  std::vector<std::size_t> may_rise() const;
  void move_to(const std::vector<double>& prices, double value);

  std::vector<double> centre_;
  double value_ = 0;
  double step_ = 0;  // penalty: distance² / (2 · step)
  double promised_ = 0;
  int failures_ = 0;  // steps since the centre moved
  std::vector<Weighted> planes_;
};

}  // namespace lamina
