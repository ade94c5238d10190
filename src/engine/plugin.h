// What the shared object of an engine exports, both with C linkage.
#pragma once

namespace lamina {

class Engine;

// Program and engine must have been built from headers of the same version: they pass C++ objects.
constexpr const char* kEngineAbi = "lamina-engine-1";

constexpr const char* kEngineAbiSymbol = "lamina_engine_abi";
constexpr const char* kEngineCreateSymbol = "lamina_engine_create";

using EngineAbiFunction = const char* (*)();
// The caller owns the result.
using EngineCreateFunction = Engine* (*)();

}  // namespace lamina
