// Sizes and durations as people write and read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lamina {

// "411.0 MiB", "4.0 KiB", "17 B".
std::string format_bytes(std::uint64_t bytes);

// "1.9 s", "46.2 ms", "130 µs".
std::string format_seconds(double seconds);

// "15.47 G", "4.25 M", "12".
std::string format_count(double count);

// Accepts 2GiB, 512MiB, 1.5GB, 4k, 1048576. Throws Error(invalid_argument) naming `what`.
std::uint64_t parse_bytes(std::string_view text, std::string_view what);

// "25 %"
std::string format_percent(double share);

// Accepts 20/s, 20 and 1200/min; in times a second. Throws Error(invalid_argument) naming `what`.
double parse_rate(std::string_view text, std::string_view what);
// Accepts 50ms, 2s, 1.5min, 250us. Throws Error(invalid_argument) naming `what`.
std::chrono::nanoseconds parse_duration(std::string_view text, std::string_view what);

// Rows of cells as aligned columns, the first row as a heading. A column is aligned right where all its cells
// below the heading begin with a digit.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace lamina
