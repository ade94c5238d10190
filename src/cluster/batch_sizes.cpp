#include "cluster/batch_sizes.h"

#include <algorithm>
#include <cstddef>

namespace lamina {

BatchSizes no_batches(std::int64_t max_batch) {
  BatchSizes sizes;
  for (std::int64_t bound = 1; bound < max_batch; bound *= 2) sizes.bounds.push_back(bound);
  sizes.bounds.push_back(max_batch);
  sizes.counts.resize(sizes.bounds.size() + 1);
  return sizes;
}

void count_batch(BatchSizes& sizes, std::int64_t rows) {
  const auto bound = std::lower_bound(sizes.bounds.begin(), sizes.bounds.end(), rows);
  ++sizes.counts[static_cast<std::size_t>(bound - sizes.bounds.begin())];
  sizes.rows += static_cast<std::uint64_t>(rows);
}

}  // namespace lamina
