// The target of a request line: path and query.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace lamina {

struct Target {
  std::string path;                                       // percent-decoded
  std::map<std::string, std::string, std::less<>> query;  // "a=1&b" gives a: "1", b: ""
};

// RFC 3986: "/input?output=scores". Throws Error(invalid_argument) for a target that doesn't begin with '/',
// a broken percent escape, or a key that stands twice.
Target parse_target(std::string_view target);

}  // namespace lamina
