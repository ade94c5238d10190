#include "base/error.h"

#include <array>
#include <cerrno>
#include <system_error>

namespace lamina {

namespace {

constexpr std::array<std::pair<ErrorCode, std::string_view>, 12> kNames = {{
    {ErrorCode::invalid_argument, "invalid_argument"},
    {ErrorCode::not_found, "not_found"},
    {ErrorCode::already_exists, "already_exists"},
    {ErrorCode::unsupported, "unsupported"},
    {ErrorCode::corrupt, "corrupt"},
    {ErrorCode::out_of_memory, "out_of_memory"},
    {ErrorCode::resource_exhausted, "resource_exhausted"},
    {ErrorCode::unavailable, "unavailable"},
    {ErrorCode::deadline_exceeded, "deadline_exceeded"},
    {ErrorCode::cancelled, "cancelled"},
    {ErrorCode::io, "io"},
    {ErrorCode::internal, "internal"},
}};

}  // namespace

std::string_view to_string(ErrorCode code) {
  for (const auto& [candidate, name] : kNames) {
    if (candidate == code) return name;
  }
  return "internal";
}

ErrorCode error_code_from_string(std::string_view name) {
  for (const auto& [code, candidate] : kNames) {
    if (candidate == name) return code;
  }
  return ErrorCode::internal;
}

void fail_with_errno(int error_number, const std::string& what) {
  ErrorCode code = ErrorCode::io;
  if (error_number == ENOENT) code = ErrorCode::not_found;
  if (error_number == EEXIST) code = ErrorCode::already_exists;
  if (error_number == ENOMEM) code = ErrorCode::out_of_memory;
  fail(code, "{}: {}", what, std::generic_category().message(error_number));
}

}  // namespace lamina
