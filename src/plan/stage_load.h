// What stages keep busy of devices that share their requests, as sums that are looked up.
#pragma once

#include "plan/cost_model.h"
#include "plan/cut_set.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace lamina {

// What all requests of a stage would keep busy of one device. Seconds.
struct DeviceWork {
  DeviceWork(const PlacementProblem& problem, std::size_t device);

  // The thread that computes, or all processors.
  struct Part {
    std::vector<double> pieces;               // Σ before a cut, of pieces that can run
    std::vector<std::vector<double>> input;   // [wire][cut]
    std::vector<std::vector<double>> output;  // [wire][cut]
  };
  std::vector<Part> parts;
  std::vector<double> seconds;  // Σ before a cut, after idleness
  double wake = 0;
  std::vector<double> request;  // by wire: of the link from the front end
  std::vector<double> answer;   // by wire: to it
};

class StageLoad {
 public:
  // Of a group of devices; `work` is by device.
  StageLoad(const PlacementProblem& problem, const std::vector<std::size_t>& devices,
            const std::vector<std::shared_ptr<const DeviceWork>>& work);

  // By first piece, the ends of stages that some shares of requests might keep within `period`, where what
  // comes in travels in wire `input` and what goes on in `output`: whatever the stages beside them are, with
  // the best links for each device. Of one device, its links left aside. Of the ends in fits[first].
  std::vector<CutSet> ends_within(double period, std::size_t input, std::size_t output,
                                  const std::vector<CutSet>& fits) const;

  // The least seconds of a stage by any shares that keep `period`.
  double least_seconds(double period, std::size_t first, std::size_t end) const;

 private:
  struct Member {
    std::shared_ptr<const DeviceWork> work;
    // Seconds a byte over the best link to a device that is not of the group, and from one.
    double send = 0;
    double receive = 0;
  };
  std::vector<double> on_link(double seconds_a_byte, std::size_t wire, std::size_t outer,
                              double with_front_end) const;

  const PlacementProblem& problem_;
  std::vector<Member> members_;
  double least_share_ = 0;
};

}  // namespace lamina
