#include "cli/progress_bar.h"

#include "base/text.h"

#include <cstdio>

#include <unistd.h>

namespace lamina::cli {

namespace {
constexpr std::size_t kWidth = 30;
}

ProgressBar::ProgressBar() : terminal_(::isatty(STDERR_FILENO) == 1), begin_(Clock::now()) {}

ProgressBar::~ProgressBar() {
  if (terminal_) std::fprintf(stderr, "\r\x1b[K");
}

void ProgressBar::show(std::size_t done, std::size_t all, const std::string& what) {
  if (!terminal_ || all == 0) return;
  const std::size_t filled = kWidth * done / all;
  std::string left = "…";
  if (done > 0) {
    left =
        format_seconds(seconds_since(begin_) / static_cast<double>(done) * static_cast<double>(all - done));
  }
  std::fprintf(stderr, "\r\x1b[K[%s%s] %zu/%zu, %s left: %s", std::string(filled, '#').c_str(),
               std::string(kWidth - filled, ' ').c_str(), done, all, left.c_str(), what.c_str());
}

}  // namespace lamina::cli
