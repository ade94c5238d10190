// Tensors in another element type.
#pragma once

#include "graph/tensor.h"

namespace lamina {

// The same values as `dtype`; shares the bytes where that is the dtype already. Real numbers become integers
// by cutting off the fraction, as NumPy's astype; numbers outside the range of an integer type give
// Error(invalid_argument). Floating-point types round to nearest even. From and to bool: non-zero is true,
// true is 1.
Tensor convert(const Tensor& tensor, DType dtype);

}  // namespace lamina
