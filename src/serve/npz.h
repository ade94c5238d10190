// NumPy's .npz files: a zip archive of .npy files, one for each name (numpy.savez, numpy.savez_compressed).
#pragma once

#include "base/buffer.h"
#include "graph/tensor.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lamina {

// Whether the bytes begin as a zip archive does.
bool is_npz(const Buffer& file);

// The arrays in the order of the archive, named without ".npy". At most `max_bytes` are unpacked and at most
// 4096 arrays read. Anything else in the archive, a name that stands twice, a checksum that is wrong:
// Error(corrupt | invalid_argument | unsupported) naming `where` and the array.
std::vector<NamedTensor> read_npz(const Buffer& file, std::uint64_t max_bytes, const std::string& where);

// An archive that holds the arrays, at least one, uncompressed, as numpy.savez writes it.
Buffer write_npz(const std::vector<NamedTensor>& tensors);

}  // namespace lamina
