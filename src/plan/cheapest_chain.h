// The cheapest chain of stages under prices of machines, which tells whether pipelines of a period can exist
// however many machines there are.
//
// Every machine runs one stage at most. For any prices ≥ 0 a pipeline costs no more than all machines
// together. A chain of stages is less bound than a pipeline: it may come to a machine again, though not for
// two stages in a row, and every stage and hop has to keep the period by itself only, in whichever wire
// formats take it least time. So where the cheapest chain costs more than all machines together, there is no
// pipeline: Lagrangian relaxation.
#pragma once

#include "plan/stage_sums.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lamina {

// Those who search chains keep the devices of each as so many bits.
inline constexpr std::size_t kMostChainDevices = 256;

// By dynamic programming from the last cut to the first, in some pieces × machines steps where most links
// carry most cuts, and pieces × machines² where few do. Not thread safe.
class CheapestChain {
 public:
  // Of stages that keep the period, seconds, which may be infinite. `sums` and its problem have to outlive
  // it.
  CheapestChain(const StageSums& sums, double period);

  std::size_t pieces() const { return pieces_; }
  // Whether a request, or what crosses a cut, gets to a device within the period.
  bool takes_requests(std::size_t device) const { return takes_requests_[device]; }
  bool carries(std::size_t from, std::size_t to, std::size_t cut) const {
    return carried_[from * devices_ + to] >= bytes_[cut];
  }

  // The price of the cheapest chain; infinite where there is no chain at all. `prices` are by device.
  double solve(const std::vector<double>& prices);
  // How often that takes each device. Only if there is one.
  std::vector<double> taken() const;

  // After solve(): the least price of all that may follow a stage of the device that ends at the cut;
  // infinite where nothing may.
  double rest(std::size_t cut, std::size_t device) const { return rest_[cut * devices_ + device]; }
  // The farthest end of a stage from `first` on, so far as it is limited here; `first` where there is none.
  std::size_t farthest(std::size_t device, std::size_t first) const { return farthest_[device][first]; }

 private:
  struct Ending {
    double rest = 0;
    std::uint32_t cut = 0;
  };
  // Ends of stages of a device that begin at some cut, as far as some begin with them the cheapest chain: the
  // farther the cheaper. In part [begin, end) of its row of `endings_`.
  struct Window {
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  void begin_stages(std::size_t cut, const std::vector<double>& prices);
  void follow_stages(std::size_t cut);
  void end_stages(std::size_t cut);

  std::size_t devices_;
  std::size_t pieces_;
  std::vector<std::vector<std::size_t>> farthest_;  // [device][first piece], growing with that
  std::vector<double> carried_;                     // [from][to]: bytes, within the period
  std::vector<double> bytes_;                       // by cut, in the shortest format
  std::vector<bool> takes_requests_;                // by device: within the period
  std::vector<bool> gives_answers_;

  std::vector<double> rest_;          // [cut][device]
  std::vector<std::uint32_t> next_;   // [cut][device]: the device that follows it there
  std::vector<std::uint32_t> end_;    // [cut][device]: of the stage that begins there
  std::vector<double> from_;          // by device: of the stages that begin at the cut being solved
  std::vector<std::uint32_t> order_;  // of devices by that
  std::vector<Ending> endings_;
  std::vector<Window> windows_;  // by device
  std::size_t first_ = 0;        // the device of the first stage
};

}  // namespace lamina
