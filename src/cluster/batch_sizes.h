// How large the batches were that requests were joined into.
#pragma once

#include <cstdint>
#include <vector>

namespace lamina {

// A batch's size is its rows.
struct BatchSizes {
  std::vector<std::int64_t> bounds;   // increasing
  std::vector<std::uint64_t> counts;  // of batches up to the bound at the same place and above the one
                                      // before; the last, which has no bound, of all that are larger
  std::uint64_t rows = 0;             // of all batches together
};

// None yet, to be counted up to 1, 2, 4 … and the limit itself.
BatchSizes no_batches(std::int64_t max_batch);

void count_batch(BatchSizes& sizes, std::int64_t rows);

}  // namespace lamina
