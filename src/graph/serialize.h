// A graph as JSON (docs/formats.md): its ops in full, its weights by the SHA-256 of their bytes.
#pragma once

#include "base/json.h"
#include "graph/graph.h"

#include <functional>
#include <string>

namespace lamina {

// The content hash of a weight: SHA-256 of its bytes, row-major, little endian.
std::string content_hash(const Tensor& weight);

// `hashes` are the content hashes of graph.weights(), in order (hashing hundreds of MB is for the caller to
// do once).
Json to_json(const Graph& graph, const std::vector<std::string>& hashes);

// `weight` gives the bytes for a hash, checked here only for their size. The result is verified.
// Anything wrong in `json` is an Error(corrupt) naming `where`.
Graph graph_from_json(const Json& json, const std::function<Buffer(const std::string& hash)>& weight,
                      const std::string& where);

}  // namespace lamina
