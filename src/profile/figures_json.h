// The parts of benchmark.json that are measured: of pieces, branches and links (profile/benchmark.h).
#pragma once

#include "base/json.h"
#include "profile/benchmark.h"

#include <cstddef>
#include <string>
#include <vector>

namespace lamina {

// All below throw Error(corrupt) that names `where` and the device, piece or link.

// A list that must have `count` entries.
const Json& sized_array(const Json& value, std::size_t count, const std::string& what,
                        const std::string& where);
// A figure that is not negative for each device.
std::vector<double> figures_of_devices(const Json& json, const std::string& key,
                                       const std::vector<DeviceInfo>& devices, const std::string& where);

Json to_json(const Link& link);
Link link_from_json(const Json& json, const std::string& where);

Json figures_to_json(const BatchFigures& figures);
BatchFigures figures_from_json(const Json& json, const std::vector<DeviceInfo>& devices,
                               const std::vector<PieceInfo>& pieces, const std::string& where);

}  // namespace lamina
