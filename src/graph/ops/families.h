// The families of ops, one file each. The lists live as long as the program.
#pragma once

#include "graph/op.h"

#include <span>

namespace lamina {

std::span<const OpSpec> elementwise_ops();
std::span<const OpSpec> linear_ops();
std::span<const OpSpec> window_ops();
std::span<const OpSpec> reduction_ops();
std::span<const OpSpec> normalization_ops();
std::span<const OpSpec> movement_ops();

}  // namespace lamina
