// Joining the tensors of several requests along the batch axis, and splitting the answer.
#pragma once

#include "engine/engine.h"
#include "graph/tensor.h"

#include <cstdint>
#include <span>
#include <vector>

namespace lamina {

// Error(unsupported) that names an input or output whose first axis is not the batch or that has the batch on
// another axis too: rows of different requests would not lie apart. Where it passes, any two requests that
// pass check_inputs() can be joined, since nothing but their batch sizes can differ.
void check_joinable(const Signature& signature);

// The requests' inputs one after another along axis 0. `requests` is not empty; each passed check_inputs()
// of a joinable signature. Copies the bytes. Throws std::bad_alloc.
std::vector<Tensor> join_requests(std::span<const std::vector<Tensor>> requests);

// The inverse for outputs: those of each request, whose batch sizes are `rows`. They share the bytes of
// `outputs`. Error(internal) that names an output whose number, dtype or shape is not the signature's.
std::vector<std::vector<Tensor>> split_outputs(const Signature& signature, const std::vector<Tensor>& outputs,
                                               std::span<const std::int64_t> rows);

}  // namespace lamina
