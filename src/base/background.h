// Work that may take longer so that other work does not.
#pragma once

#include <algorithm>
#include <future>

#include <sys/resource.h>
#include <unistd.h>

namespace lamina {

// Runs the call in a thread of its own that leaves processors to all others, waits for it and returns or
// throws what it does. Threads that it starts leave them, too, for as long as they live: a process without
// rights can't take that back.
template <typename Call>
auto run_in_background(Call call) {
  // About a tenth of the weight of the others (sched(7)).
  constexpr int kMoreNice = 10;
  constexpr int kMostNice = 19;
  return std::async(std::launch::async,
                    [&] {
                      const auto thread = static_cast<id_t>(::gettid());
                      const int nice = ::getpriority(PRIO_PROCESS, thread);
                      ::setpriority(PRIO_PROCESS, thread, std::min(nice + kMoreNice, kMostNice));
                      return call();
                    })
      .get();
}

}  // namespace lamina
