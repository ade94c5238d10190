#include "profile/statistics.h"

#include "base/error.h"

#include <algorithm>
#include <cmath>

namespace lamina {

double quantile(std::vector<double> samples, double share) {
  if (samples.empty()) fail(ErrorCode::invalid_argument, "a quantile of no samples");
  std::sort(samples.begin(), samples.end());
  const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(samples.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, samples.size() - 1);
  return std::lerp(samples[below], samples[above], place - static_cast<double>(below));
}

}  // namespace lamina
