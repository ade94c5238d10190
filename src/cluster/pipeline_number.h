// Numbers that tell pipelines apart: the upper half is the head's, the lower counts its generations from 1.
#pragma once

#include <cstdint>
#include <random>

namespace lamina {

// The first generation of a new head.
inline std::uint64_t new_pipeline_number() {
  std::random_device random;
  return std::uint64_t{random() | 1U} << 32U | 1U;
}

// Workers end the pipelines of other heads when one of this head comes.
constexpr std::uint64_t head_of(std::uint64_t pipeline) { return pipeline >> 32U; }

}  // namespace lamina
