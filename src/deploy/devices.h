// The machines to use: devices.toml (docs/formats.md).
#pragma once

#include "profile/benchmark.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lamina {

// Reads [[device]] tables. A device has a name and either `memory` and `threads` or `cpus`, then its worker
// is started here with these limits, or the `address` of a worker that runs already. Error(invalid_argument)
// names the file, the line and what is wrong.
std::vector<DeviceInfo> load_devices(const std::filesystem::path& path);
std::vector<DeviceInfo> parse_devices(std::string_view text, const std::string& where);

// `count` local workers of unequal size for this machine, named worker1, worker2, …: threads from one to all
// there are, the memory that is available shared out in proportion 1 : 2 : 3 : ….
std::vector<DeviceInfo> default_devices(int count);

}  // namespace lamina
