// What narrowing and widening take on this machine.
#pragma once

#include "graph/tensor.h"
#include "graph/wire_format.h"

#include <cstdint>

namespace lamina {

struct WireTime {
  double narrow = 0;        // seconds, median
  double widen = 0;         // seconds, median
  std::uint64_t bytes = 0;  // that travel
};

// float32 values such as a ReLU leaves: normal numbers, of which the negative half is zero. The same every
// time. Zeros are scattered; those of real feature maps are no worse to compress.
Tensor relu_values(const Shape& shape);

// Times one thread on relu_values() of `bytes`, rounded up to whole values, for about a tenth of a second and
// three runs at least. Takes three times the memory.
WireTime measure_wire(WireFormat format, std::uint64_t bytes);

}  // namespace lamina
