// The least times of a problem with blocks, whatever memory they take.
#pragma once

#include "base/clock.h"
#include "plan/block_options.h"

#include <cstddef>
#include <limits>
#include <map>
#include <vector>

namespace lamina {

// From a piece on its device to the next: that piece on a device, or a block in one of its ways and the piece
// behind it on a device.
struct BranchStep {
  static constexpr std::size_t kPieces = std::numeric_limits<std::size_t>::max();
  std::size_t option = kPieces;  // of the block, or that its pieces run as such
  std::size_t device = 0;        // of the piece that is reached; the source at the end
};

class BranchTables {
 public:
  // Throws nothing; ends early at the deadline, then is_whole() is false.
  BranchTables(const PlacementProblem& problem, std::size_t max_options, Deadline deadline);

  bool is_whole() const { return whole_; }

  // The block that begins with the piece; null where there is none.
  const PlanBlock* block_at(std::size_t piece) const;
  // Where requests come from before the first piece stands the source.
  const BlockOptions& options(std::size_t piece, std::size_t from, std::size_t to) const;

  // The least time from the end of piece `pieces` − 1 on `device` until the answer is back; from the source
  // for no pieces. No more than what any placement takes.
  double to_come(std::size_t pieces, std::size_t device) const { return to_come_[pieces][device]; }
  // The same from where the block before `piece` has been joined on `device`, with the waking there.
  double from_join(std::size_t piece, std::size_t device) const;
  // The first step of a way of that time; where no listed way is (only bounded ones), none.
  bool has_step(std::size_t pieces, std::size_t device) const { return known_[pieces][device]; }
  BranchStep step(std::size_t pieces, std::size_t device) const { return step_[pieces][device]; }

 private:
  void fill(std::size_t pieces);
  void consider(std::size_t pieces, std::size_t device, double seconds, bool known, BranchStep step);

  const PlacementProblem& problem_;
  std::map<std::size_t, const PlanBlock*> blocks_;
  std::map<std::size_t, std::vector<BlockOptions>> options_;  // by first piece, then from · devices + to
  std::vector<std::vector<double>> to_come_;
  std::vector<std::vector<bool>> known_;
  std::vector<std::vector<BranchStep>> step_;
  bool whole_ = true;
};

}  // namespace lamina
