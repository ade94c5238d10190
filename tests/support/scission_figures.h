// What Scission measured (qub-blesson/Scission, benchmark_data), as JSON that is kept beside this repository.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lamina {

struct ScissionBlock {
  std::size_t first_layer = 0;
  std::size_t last_layer = 0;
  double seconds = 0;
  std::uint64_t output_bytes = 0;
};

struct ScissionMachine {
  std::string name;
  std::string tier;                                          // "device", "edge" or "cloud"
  std::map<std::string, std::vector<ScissionBlock>> models;  // every machine has the same models and blocks
};

struct ScissionLink {
  double ping = 0;       // seconds
  double bandwidth = 0;  // bytes a second
};

struct ScissionFigures {
  std::vector<ScissionMachine> machines;
  // By name, from a machine to one of a later tier.
  std::map<std::string, std::map<std::pair<std::string, std::string>, ScissionLink>> networks;
};

// Throws lamina::Error for a file that is missing or doesn't hold such figures.
ScissionFigures read_scission_figures(const std::filesystem::path& path);

// Scission's default for the picture that the device starts with.
constexpr std::uint64_t kScissionInputBytes = 150'000;

}  // namespace lamina
