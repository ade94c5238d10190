// NumPy's .npy files, versions 1.0 to 3.0 (numpy.lib.format), as tensors.
#pragma once

#include "base/buffer.h"
#include "graph/tensor.h"

#include <filesystem>
#include <string>

namespace lamina {

// Reads an .npy from memory, sharing its bytes where it is in C order and little endian, else copying.
// Object arrays, unknown dtypes, sizes that overflow, a body that is too short or too long: Error(corrupt |
// unsupported) naming `where`.
Tensor read_npy(const Buffer& file, const std::string& where);
Tensor load_npy(const std::filesystem::path& path);

// The bytes before the data: magic, version 1.0, header padded so that the data is aligned to 64.
std::string npy_header(const TensorType& type);
// Header and data in one block.
Buffer write_npy(const Tensor& tensor);
void save_npy(const std::filesystem::path& path, const Tensor& tensor);

}  // namespace lamina
