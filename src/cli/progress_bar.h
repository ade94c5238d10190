// A bar that fills, with the time left, on a terminal; nothing elsewhere.
#pragma once

#include "base/clock.h"

#include <cstddef>
#include <string>

namespace lamina::cli {

class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  void show(std::size_t done, std::size_t all, const std::string& what);

 private:
  bool terminal_;
  Clock::time_point begin_;
};

}  // namespace lamina::cli
