// Whether what a model says of one row of a batch depends on that row alone.
#pragma once

#include "graph/graph.h"

namespace lamina {

// Error(unsupported) that names the first layer and op where rows of the batch may meet: a value that has no
// batch on its first axis alone, or an op that works along that axis. Where it passes, rows may be joined
// with those of others and give the same answers. It may refuse a model whose rows never meet in the end,
// such as one that moves the batch to another axis and back.
void check_rows_apart(const Graph& graph);

}  // namespace lamina
