// The .keras file: a zip of config.json, metadata.json and model.weights.h5.
#pragma once

#include "base/buffer.h"

#include <map>
#include <string>

namespace lamina {

bool looks_like_zip(const Buffer& bytes);

// The members of a zip in memory by name. Stored members share its bytes, compressed ones are unpacked.
// Names that lead outside, members that stand twice or unpack to far more than the file: Error(corrupt).
std::map<std::string, Buffer> read_archive(const Buffer& bytes, const std::string& where);

}  // namespace lamina
