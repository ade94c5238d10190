// A set of cuts of a model, as bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lamina {

class CutSet {
 public:
  explicit CutSet(std::size_t cuts = 0) : words_((cuts + 63) / 64, 0) {}
  void add(std::size_t cut) { words_[cut / 64] |= std::uint64_t{1} << (cut % 64); }
  void add(const CutSet& others) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= others.words_[i];
  }
  void keep(const CutSet& others) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= others.words_[i];
  }
  bool has(std::size_t cut) const { return (words_[cut / 64] >> (cut % 64) & 1U) != 0; }
  std::uint64_t word(std::size_t index) const { return words_[index]; }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace lamina
