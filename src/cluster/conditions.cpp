#include "cluster/conditions.h"

#include <vector>

#include <fmt/ranges.h>

namespace lamina {

std::string describe_change(const Conditions& before, const Conditions& now) {
  std::vector<std::string> changes;
  for (const std::string& name : now.machines) {
    if (!before.machines.contains(name)) changes.push_back(fmt::format("'{}' is there again", name));
  }
  for (const std::string& name : before.machines) {
    if (!now.machines.contains(name)) changes.push_back(fmt::format("'{}' is left out", name));
  }
  for (const auto& [name, times] : now.slowness) {
    const auto known = before.slowness.find(name);
    if (known == before.slowness.end() || known->second != times)
      changes.push_back(fmt::format("'{}' takes {:.1f} times as long as planned", name, times));
  }
  for (const auto& [name, times] : before.slowness) {
    if (!now.slowness.contains(name))
      changes.push_back(fmt::format("'{}' is to be as fast as planned again", name));
  }
  return fmt::format("{}", fmt::join(changes, ", "));
}

}  // namespace lamina
