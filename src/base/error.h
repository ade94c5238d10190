// The one exception type of the program.
//
// A message names the thing, its value and what was expected, and the file, layer or machine it was met in.
// The edges of a process turn the code into an exit status, an HTTP status or a gRPC status.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace lamina {

enum class ErrorCode {
  invalid_argument,    // the caller gave something that can't be right
  not_found,           // a file, machine, layer or key that should be there is not
  already_exists,      // something stands where a new thing should go
  unsupported,         // understood, but this program or engine can't do it
  corrupt,             // data read from outside breaks its format
  out_of_memory,       // does not fit the memory of this machine or its limit
  resource_exhausted,  // a queue or another limit is full; trying later may help
  unavailable,         // a machine or service doesn't answer
  deadline_exceeded,   // took longer than allowed
  cancelled,           // the caller went away
  io,                  // the operating system refused to read or write
  internal,            // a bug in this program
};

// The code's name as written above; for logs and wire formats.
std::string_view to_string(ErrorCode code);

// The inverse of to_string; an unknown name gives ErrorCode::internal.
ErrorCode error_code_from_string(std::string_view name);

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

// Throws an Error with a message made by fmt.
template <typename... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

// Throws an Error whose message ends with the text of `error_number` (an errno value).
[[noreturn]] void fail_with_errno(int error_number, const std::string& what);

}  // namespace lamina
