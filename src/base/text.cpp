#include "base/text.h"

#include "base/error.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <utility>

namespace lamina {

namespace {

struct NumberWithUnit {
  double number;
  std::string unit;
};

// Nothing where the text is no number from 0 on.
std::optional<NumberWithUnit> split(std::string_view text) {
  const std::string copy(text);
  char* end = nullptr;
  const double number = std::strtod(copy.c_str(), &end);
  if (end == copy.c_str() || !std::isfinite(number) || number < 0) return std::nullopt;
  std::string unit(end);
  unit.erase(0, unit.find_first_not_of(' ') == std::string::npos ? 0 : unit.find_first_not_of(' '));
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return NumberWithUnit{number, unit};
}

// Columns as a terminal counts them: bytes that continue a UTF-8 character take none.
std::size_t display_width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto scaled = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (scaled >= 1024 && unit + 1 < kUnits.size()) {
    scaled /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", scaled, kUnits[unit]);
}

std::string format_seconds(double seconds) {
  if (seconds >= 60) return fmt::format("{:.1f} min", seconds / 60);
  if (seconds >= 1) return fmt::format("{:.2f} s", seconds);
  if (seconds >= 1e-3) return fmt::format("{:.2f} ms", seconds * 1e3);
  return fmt::format("{:.0f} µs", seconds * 1e6);
}

std::string format_count(double count) {
  constexpr std::array<std::pair<double, const char*>, 4> kUnits = {
      {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}};
  for (const auto& [scale, unit] : kUnits) {
    if (count >= scale) return fmt::format("{:.2f} {}", count / scale, unit);
  }
  return fmt::format("{:.0f}", count);
}

std::uint64_t parse_bytes(std::string_view text, std::string_view what) {
  constexpr std::array<std::pair<std::string_view, double>, 14> kUnits = {{{"", 1},
                                                                           {"b", 1},
                                                                           {"k", 1024},
                                                                           {"kb", 1e3},
                                                                           {"kib", 1024},
                                                                           {"m", 1048576},
                                                                           {"mb", 1e6},
                                                                           {"mib", 1048576},
                                                                           {"g", 1073741824},
                                                                           {"gb", 1e9},
                                                                           {"gib", 1073741824},
                                                                           {"t", 1099511627776},
                                                                           {"tb", 1e12},
                                                                           {"tib", 1099511627776}}};
  const std::optional<NumberWithUnit> value = split(text);
  for (const auto& [unit, scale] : kUnits) {
    if (!value || unit != value->unit) continue;
    const double bytes = value->number * scale;
    if (bytes > 9e18) break;
    return static_cast<std::uint64_t>(std::llround(bytes));
  }
  fail(ErrorCode::invalid_argument, "{} is '{}', expected a size such as 512MiB or 2GiB", what, text);
}

std::chrono::nanoseconds parse_duration(std::string_view text, std::string_view what) {
  constexpr std::array<std::pair<std::string_view, double>, 7> kUnits = {
      {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}, {"h", 3600e9}}};
  const std::optional<NumberWithUnit> value = split(text);
  for (const auto& [unit, scale] : kUnits) {
    if (value && unit == value->unit && value->number * scale < 9e18) {
      return std::chrono::nanoseconds(std::llround(value->number * scale));
    }
  }
  fail(ErrorCode::invalid_argument, "{} is '{}', expected a duration such as 50ms or 2s", what, text);
}

std::string format_percent(double share) { return fmt::format("{:.0f} %", share * 100); }

double parse_rate(std::string_view text, std::string_view what) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const bool known = unit.empty() || unit == "/s" || unit == "/min";
  if (error != std::errc() || !known || !(number > 0) || !std::isfinite(number))
    fail(ErrorCode::invalid_argument, "{} is '{}', expected more than 0 times a second, such as 20/s", what,
         text);
  return unit == "/min" ? number / 60 : number;
}

std::string format_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  std::vector<bool> right;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    widths.resize(std::max(widths.size(), rows[row].size()), 0);
    right.resize(widths.size(), true);
    for (std::size_t column = 0; column < rows[row].size(); ++column) {
      const std::string& cell = rows[row][column];
      widths[column] = std::max(widths[column], display_width(cell));
      const bool digit = !cell.empty() && std::isdigit(static_cast<unsigned char>(cell[0])) != 0;
      if (row > 0 && !cell.empty() && !digit) right[column] = false;
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      const std::string padding(widths[column] - display_width(row[column]), ' ');
      if (column > 0) line += "  ";
      line += right[column] ? padding + row[column] : row[column] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace lamina
