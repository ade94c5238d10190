#include "support/python.h"

#include "base/file.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace lamina {

namespace {

std::string quote(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

std::string run_python(const std::string& script, const std::vector<std::string>& arguments) {
  const char* interpreter = std::getenv("LAMINA_TEST_PYTHON");
  if (interpreter == nullptr)
    throw std::runtime_error("LAMINA_TEST_PYTHON is not set; run the tests by ctest");
  const TemporaryDirectory directory;
  const std::string file = (directory.path() / "script.py").string();
  write_file(file, script);
  std::string command = quote(interpreter) + " " + quote(file);
  for (const std::string& argument : arguments) command += " " + quote(argument);
  command += " 2>&1";

  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("can't start " + command);
  std::string output;
  std::array<char, 4096> block{};
  for (std::size_t got = 0; (got = std::fread(block.data(), 1, block.size(), pipe)) > 0;) {
    output.append(block.data(), got);
  }
  if (::pclose(pipe) != 0) throw std::runtime_error(command + " failed:\n" + output);
  return output;
}

}  // namespace lamina
