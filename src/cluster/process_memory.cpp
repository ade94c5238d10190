#include "cluster/process_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include <malloc.h>
#include <sys/resource.h>

namespace lamina {

namespace {

// A line "Name:   1234 kB" of a file under /proc; 0 where it is missing.
std::uint64_t read_kilobytes(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1)) * 1024;
  }
  return 0;
}

std::uint64_t limit_of(decltype(RLIMIT_DATA) resource) {
  rlimit limit{};
  const bool known = ::getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  return known ? limit.rlim_cur : std::numeric_limits<std::uint64_t>::max();
}

}  // namespace

std::uint64_t charged_memory() {
  const bool reserved_counts = limit_of(RLIMIT_DATA) != std::numeric_limits<std::uint64_t>::max();
  return read_kilobytes("/proc/self/status", reserved_counts ? "VmData" : "RssAnon");
}

std::uint64_t free_memory(std::uint64_t limit) {
  const std::uint64_t machine = read_kilobytes("/proc/meminfo", "MemAvailable");
  if (limit == 0) return machine;
  const std::uint64_t used = charged_memory();
  return std::min(machine, limit > used ? limit - used : 0);
}

void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that glibc takes
  ::mallopt(M_TRIM_THRESHOLD, 256 << 20);
  // One heap for all threads: what one thread freed serves the others, and heaps of threads, which are given
  // back as soon as they are empty, don't exist.
  ::mallopt(M_ARENA_MAX, 1);
}

void return_freed_memory() { ::malloc_trim(0); }

std::uint64_t memory_limit() {
  return std::min({read_kilobytes("/proc/meminfo", "MemTotal"), limit_of(RLIMIT_DATA), limit_of(RLIMIT_AS)});
}

}  // namespace lamina
