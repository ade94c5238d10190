// Finds and loads the shared objects of engines.
#include "base/error.h"
#include "engine/engine.h"
#include "engine/plugin.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <dlfcn.h>

namespace lamina {

namespace {

std::vector<std::filesystem::path> search_places() {
  std::vector<std::filesystem::path> places;
  if (const char* path = std::getenv("LAMINA_ENGINE_PATH")) places.emplace_back(path);
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    places.push_back(program.parent_path());
    places.push_back(program.parent_path().parent_path() / "lib" / "lamina");
  }
  return places;
}

bool is_plain_name(const std::string& name) {
  return !name.empty() &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

template <typename Function>
Function find_symbol(void* library, const char* symbol, const std::string& path) {
  void* address = ::dlsym(library, symbol);
  if (address == nullptr)
    fail(ErrorCode::unsupported, "'{}' is not an engine of lamina: it lacks {}", path, symbol);
  return reinterpret_cast<Function>(address);
}

}  // namespace

std::shared_ptr<Engine> load_engine(const std::string& name) {
  if (!is_plain_name(name))
    fail(ErrorCode::invalid_argument, "engine '{}', expected a name such as openvino", name);
  const std::string file = "liblamina_" + name + ".so";
  std::string searched;
  for (const auto& place : search_places()) {
    const std::string path = (place / file).string();
    if (!std::filesystem::exists(path)) {
      searched += (searched.empty() ? "" : ", ") + place.string();
      continue;
    }
    // Never closed: engines keep threads and static state.
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
      fail(ErrorCode::unsupported, "engine '{}' can't be loaded: {}", name, ::dlerror());
    const auto abi = find_symbol<EngineAbiFunction>(library, kEngineAbiSymbol, path);
    if (std::string_view(abi()) != kEngineAbi) {
      fail(ErrorCode::unsupported, "engine '{}' speaks '{}', this program '{}'", path, abi(), kEngineAbi);
    }
    return std::shared_ptr<Engine>(find_symbol<EngineCreateFunction>(library, kEngineCreateSymbol, path)());
  }
  fail(ErrorCode::not_found, "there is no engine '{}': looked for {} in {}", name, file, searched);
}

}  // namespace lamina
