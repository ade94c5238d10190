// Random numbers of searches that always go the same way.
#pragma once

#include <random>

namespace lamina {

using Random = std::minstd_rand;

// From 0 to 1.
inline double chance(Random& random) {
  return static_cast<double>(random() - Random::min()) / (Random::max() - Random::min());
}

}  // namespace lamina
