// Files that the real Keras writes, made once for the tests of this program.
#pragma once

#include "base/file.h"
#include "base/json.h"

#include <filesystem>
#include <string>

namespace lamina {

// A directory with models, arrays and facts.json; see keras_files.cpp. The first call runs Keras.
const std::filesystem::path& keras_files();

// facts.json: {"MODEL": {"parameters": n, "outputs": [[sizes after the batch axis]], "weights": {"LAYER":
// n}}}.
const Json& keras_facts();

}  // namespace lamina
