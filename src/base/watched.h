// What is made from files, and made anew when they change.
#pragma once

#include "base/clock.h"
#include "base/error.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

namespace lamina {

// Tells two states of files apart: which file stands there, its size and when it was changed.
std::string state_of_files(const std::vector<std::filesystem::path>& files);

// Needs no thread: the files are looked at when the value is asked for, at most once a second. Thread-safe.
template <typename T>
class Watched {
 public:
  // Throws what `make` throws.
  Watched(std::vector<std::filesystem::path> files, std::function<T()> make)
      : files_(std::move(files)),
        make_(std::move(make)),
        state_(state_of_files(files_)),
        value_(std::make_shared<T>(make_())) {}

  // The newest value that could be made. Where the files are no longer what they should be, the value before
  // stays and the Error is logged, once for each change.
  std::shared_ptr<T> get(Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    if (now - looked_ < kPause) return value_;
    looked_ = now;
    std::string state = state_of_files(files_);
    if (state == state_) return value_;
    state_ = std::move(state);
    try {
      value_ = std::make_shared<T>(make_());
      spdlog::info("read '{}' again", files_.front().string());
    } catch (const Error& error) {
      spdlog::error("{}; what was read before stays in force", error.what());
    }
    return value_;
  }

 private:
  static constexpr std::chrono::seconds kPause{1};

  const std::vector<std::filesystem::path> files_;
  const std::function<T()> make_;
  std::mutex mutex_;
  std::string state_;                        // guarded by mutex_
  std::shared_ptr<T> value_;                 // guarded by mutex_
  Clock::time_point looked_ = Clock::now();  // guarded by mutex_
};

}  // namespace lamina
