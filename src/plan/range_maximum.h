// The greatest of any range of figures, in constant time.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace lamina {

// By the greatest of ranges of 1, 2, 4, … from each place: n log n figures.
class RangeMaximum {
 public:
  explicit RangeMaximum(std::vector<std::uint64_t> values) : levels_{std::move(values)} {
    for (std::size_t length = 1; 2 * length <= levels_.front().size(); length *= 2) {
      const auto& shorter = levels_.back();
      std::vector<std::uint64_t> level;
      for (std::size_t i = 0; i + 2 * length <= levels_.front().size(); ++i)
        level.push_back(std::max(shorter[i], shorter[i + length]));
      levels_.push_back(std::move(level));
    }
  }
  // Of [first, end), which is not empty.
  std::uint64_t most(std::size_t first, std::size_t end) const {
    const auto level = static_cast<std::size_t>(std::bit_width(end - first) - 1);
    return std::max(levels_[level][first], levels_[level][end - (std::size_t{1} << level)]);
  }

 private:
  std::vector<std::vector<std::uint64_t>> levels_;
};

}  // namespace lamina
