// The safetensors format (8 bytes of header length, a JSON header, the data), read mapped and written
// streamed.
#pragma once

#include "graph/tensor.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lamina {

// Tensors by name, each sharing the one mapping of the file.
// Header over 100 MB, ranges that overlap, leave holes or the file, unknown dtypes: Error(corrupt).
std::map<std::string, Tensor> read_safetensors(const Buffer& file, const std::string& where);
std::map<std::string, Tensor> load_safetensors(const std::filesystem::path& path);

// Writes all or nothing. Every tensor starts at a multiple of its element size, and of 64 bytes as long as
// the sizes before it allow; the format has no padding.
void save_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors);

}  // namespace lamina
