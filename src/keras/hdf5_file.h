// HDF5 files as Keras writes them: attributes and datasets, found by libhdf5, read from the mapped file.
#pragma once

#include "base/buffer.h"
#include "graph/tensor.h"

#include <map>
#include <string>
#include <vector>

namespace lamina {

// What a file holds, by path without a leading slash ("model_weights/conv2d/conv2d/kernel:0"; "" is the
// root).
struct Hdf5File {
  std::map<std::string, std::map<std::string, std::vector<std::string>>>
      text_attributes;  // a text is a list of one
  std::map<std::string, Tensor> datasets;

  bool has_group(const std::string& path) const { return text_attributes.contains(path); }
  // The texts of an attribute; empty where it is missing. Keras splits long lists into NAME0, NAME1, …
  std::vector<std::string> texts(const std::string& group, const std::string& name) const;
};

// Whether `bytes` begin as an HDF5 file does.
bool looks_like_hdf5(const Buffer& bytes);

// Reads the index of an HDF5 file in memory. Contiguous datasets share its bytes, chunked or compressed ones
// are unpacked into a file of no name. Damaged or hostile content is Error(corrupt) naming `where`.
Hdf5File read_hdf5(const Buffer& bytes, const std::string& where);

}  // namespace lamina
