// A sliced model on disk (docs/formats.md):
//   DIR/model.json            the graph, its weights by hash, the positions of the useful cuts, the
//                             blocks of branches
//   DIR/weights.safetensors   every distinct weight once, named by its SHA-256
#pragma once

#include "graph/graph.h"
#include "slice/branches.h"
#include "slice/cuts.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace lamina {

struct SlicedModel {
  Graph graph;
  std::vector<std::string> hashes;      // content hashes of graph.weights(), in order
  std::vector<Cut> cuts;                // every legal cut
  std::vector<std::size_t> boundaries;  // positions of the useful cuts; pieces lie between them
  std::vector<BranchBlock> blocks;      // each between two boundaries; none follows another at once
};

// Hashes the weights and finds the cuts.
SlicedModel slice_model(Graph graph);

// Creates DIR (or replaces a sliced model in it; anything else there is an Error(already_exists)).
// All or nothing: on an error, a full disk included, what was there before stands untouched.
void save_sliced_model(const std::filesystem::path& directory, const SlicedModel& model);
SlicedModel load_sliced_model(const std::filesystem::path& directory);
// SHA-256 of DIR/model.json, which ties benchmarks and plans to their model.
std::string hash_of_model(const std::filesystem::path& directory);
// Reads all weights: Error(corrupt) names the file and a weight whose bytes have another hash than model.json
// says. For whoever is about to serve the model.
void check_weights(const std::filesystem::path& directory, const SlicedModel& model);

// The name by which people see a piece: its layer, or "first … last".
std::string piece_name(const SlicedModel& model, std::size_t piece);
// The same of a branch.
std::string branch_name(const SlicedModel& model, const std::vector<LayerId>& layers);

}  // namespace lamina
