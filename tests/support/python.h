// Runs the Python whose libraries (Keras, NumPy) tell the truth that tests compare with.
#pragma once

#include <string>
#include <vector>

namespace lamina {

// Runs `script` with `arguments` as sys.argv[1:] and returns what it printed. The interpreter is the one that
// $LAMINA_TEST_PYTHON names. Throws std::runtime_error with its output when that is unset or the script
// fails.
std::string run_python(const std::string& script, const std::vector<std::string>& arguments = {});

}  // namespace lamina
