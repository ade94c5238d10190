// What a benchmark says of the model itself, which takes no measuring.
#pragma once

#include "profile/benchmark.h"
#include "slice/artifact.h"

#include <cstdint>
#include <vector>

namespace lamina {

std::vector<PieceInfo> describe_pieces(const SlicedModel& model);

// Without measurements.
std::vector<BlockInfo> describe_blocks(const SlicedModel& model, std::int64_t batch);

// What crosses each boundary of pieces.
std::vector<std::uint64_t> cut_bytes(const SlicedModel& model, std::int64_t batch);

}  // namespace lamina
