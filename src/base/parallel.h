// The same work on many things at once.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace lamina {

// As many as the machine has processors.
inline std::size_t all_processors() { return std::max<std::size_t>(1, std::thread::hardware_concurrency()); }

// Calls task(i) for every i below `count`, in order of i on so many threads, this one among them, and waits
// for all. Throws what the first task threw that failed; the others are called nevertheless.
template <typename Task>
void for_each_in_parallel(std::size_t count, std::size_t threads, const Task& task) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::mutex mutex;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        task(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  };
  std::vector<std::jthread> others;
  for (std::size_t other = 1; other < std::min(count, threads); ++other) others.emplace_back(work);
  work();
  others.clear();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace lamina
