// What clients send and get: .npy and .npz bodies as a model's inputs and outputs.
#pragma once

#include "base/buffer.h"
#include "engine/engine.h"
#include "graph/tensor.h"
#include "serve/reply.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lamina {

// The inputs of the model in the order of its signature, from a body that is
// - an .npy, for a model with one input, or
// - an .npz by the names of the inputs; numpy.savez without names (arr_0, arr_1, …) goes in order.
// `input`, where not empty, says which input an .npy is for, and must be its name.
//
// Element types are converted where NumPy calls it a cast of the same kind: bool → integer → floating point,
// and between sizes of one kind. So float64, float16 and uint8 arrays may be sent to a float32 model.
// Integers that don't fit, and floating-point values for an integer input, are Error(invalid_argument).
//
// Errors: corrupt for a broken file, invalid_argument for names, element types and shapes that don't go with
// the model, naming what came and what was expected.
std::vector<Tensor> read_inputs(const Buffer& body, const Signature& signature, std::string_view input,
                                std::uint64_t max_bytes);

// One output as .npy, several as .npz; also one as .npz where `accept`, the request's header, names
// application/x-npz or application/zip. `output`, where not empty, picks one output by name.
Reply outputs_reply(const std::vector<Tensor>& outputs, const Signature& signature, std::string_view output,
                    std::string_view accept);

// Throws Error(invalid_argument) naming the outputs unless `output` is empty or the name of one.
void check_output_name(const Signature& signature, std::string_view output);

}  // namespace lamina
