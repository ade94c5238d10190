// Checks of options that are numbers, whose errors say what is expected.
#pragma once

#include <charconv>
#include <cmath>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace lamina::cli {

// A finite number for which `holds`, described by `expected`.
template <typename Holds>
CLI::Validator number(const std::string& expected, const Holds& holds) {
  const auto check = [expected, holds](std::string& text) -> std::string {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool read = error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
    return read && holds(value) ? "" : fmt::format("'{}', expected {}", text, expected);
  };
  return {check, "NUMBER"};
}

inline CLI::Validator positive_number() {
  return number("a number above 0", [](double value) { return value > 0; });
}
inline CLI::Validator number_from_0() {
  return number("a number from 0 on", [](double value) { return value >= 0; });
}

}  // namespace lamina::cli
