// Prices for devices, which keep the cheapest way through a pipeline from taking a device twice: a bound.
#pragma once

#include "plan/pipeline_tables.h"

#include <cstddef>
#include <vector>

namespace lamina {

// The least time and price to the end, whatever devices are taken before. With the price of all free devices
// off again it is no more than the time of any pipeline: Lagrangian relaxation, as for memory
// (memory_prices.h).
struct DevicePrices {
  std::vector<double> seconds;     // by kind
  std::vector<double> free_price;  // by state: of the devices that are not taken
  std::vector<std::vector<double>>
      least;                              // [cut][group]: from the cut to the end, after a stage of the group
  std::vector<std::vector<double>> rest;  // [cut][group]: the same with a stage of the group still to come
  double bound = 0;                       // seconds: no pipeline is faster
};

// `hoped`: a latency that is asked for; infinite where none is. The bound is infinite where there is no
// pipeline.
DevicePrices find_device_prices(const PipelineTables& tables, const PeriodTables& allowed, double hoped);

}  // namespace lamina
