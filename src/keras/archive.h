// The .keras file: a zip of config.json, metadata.json and model.weights.h5.
#pragma once

#include "base/buffer.h"

#include <map>
#include <set>
#include <string>

namespace lamina {

bool looks_like_zip(const Buffer& bytes);

// Those members of a zip in memory that `wanted` names and that are there, by name. Stored members share its
// bytes, compressed ones are unpacked. Names that lead outside, members that stand twice, that are encrypted
// or unpack to far more than the file: Error(corrupt | unsupported).
std::map<std::string, Buffer> read_archive(const Buffer& bytes, const std::set<std::string>& wanted,
                                           const std::string& where);

}  // namespace lamina
