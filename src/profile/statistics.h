// Order statistics of samples.
#pragma once

#include <utility>
#include <vector>

namespace lamina {

// The value below which `share` (0 to 1) of the samples lie, between neighbours by their distance (NumPy's
// default). Throws Error(invalid_argument) without samples.
double quantile(std::vector<double> samples, double share);

inline double median(std::vector<double> samples) { return quantile(std::move(samples), 0.5); }

}  // namespace lamina
