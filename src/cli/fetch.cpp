#include "cli/fetch.h"

#include "base/error.h"
#include "cluster/keeper.h"

#include <chrono>
#include <map>

namespace lamina::cli {

namespace {

constexpr std::chrono::seconds kStart{60};

// Whether they have to be there.
const std::map<std::string, bool>& files() {
  static const std::map<std::string, bool> known = {{"model.json", true},
                                                    {"weights.safetensors", true},
                                                    {"plan.json", true},
                                                    {"benchmark.json", false},
                                                    {"classes.txt", false}};
  return known;
}

}  // namespace

std::set<std::string> served_files() {
  std::set<std::string> names;
  for (const auto& [name, needed] : files()) names.insert(name);
  return names;
}

void fetch_model(const std::string& address, const TlsFiles& tls, const std::filesystem::path& directory) {
  for (const auto& [name, needed] : files()) {
    if (!fetch_file(address, tls, name, directory, kStart) && needed)
      fail(ErrorCode::not_found, "'lamina keep' at {} has no {}", address, name);
  }
}

}  // namespace lamina::cli
