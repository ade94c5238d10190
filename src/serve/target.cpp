#include "serve/target.h"

#include "base/error.h"

#include <charconv>

namespace lamina {

namespace {

std::string decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      unsigned value = 0;
      const std::string_view digits = text.substr(i + 1, 2);
      const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
      if (digits.size() != 2 || ec != std::errc{} || end != digits.data() + 2) {
        fail(ErrorCode::invalid_argument,
             "the request's target has '%{}', expected a percent sign and two hexadecimal digits", digits);
      }
      decoded += static_cast<char>(value);
      i += 2;
    }
  }
  return decoded;
}

}  // namespace

Target parse_target(std::string_view target) {
  if (target.empty() || target.front() != '/') {
    fail(ErrorCode::invalid_argument, "the request's target is '{}', expected a path that begins with '/'",
         target.substr(0, 120));
  }
  Target parsed;
  const std::size_t mark = target.find('?');
  parsed.path = decode(target.substr(0, mark), false);
  if (mark == std::string_view::npos) return parsed;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const std::string key = decode(pair.substr(0, equals), true);
    std::string value = equals == std::string_view::npos ? "" : decode(pair.substr(equals + 1), true);
    if (!parsed.query.emplace(key, std::move(value)).second) {
      fail(ErrorCode::invalid_argument, "the query gives '{}' twice", key);
    }
  }
  return parsed;
}

}  // namespace lamina
