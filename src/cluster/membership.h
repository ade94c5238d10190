// Which machines are there: each is asked again and again, by a thread of its own.
#pragma once

#include "cluster/head_plan.h"
#include "cluster/security.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace lamina {

class WorkerClient;

struct MembershipOptions {
  Heartbeat heartbeat = {};
  std::chrono::milliseconds backoff{5000};  // the longest pause between two looks for a machine that is gone
  TlsFiles tls = {};
};

// A machine whose connection is refused three times in a row is gone, and so is one that was silent for as
// many heartbeats as the options say. One that answers is there again. Thread-safe.
class Membership {
 public:
  // Where a machine's worker is now: host:port, empty where none runs. Called from several threads.
  using Find = std::function<std::string(const std::string& name)>;

  // `changed` is called from threads of this object when a machine has come or gone.
  Membership(const std::vector<std::string>& names, Find find, MembershipOptions options,
             std::function<void()> changed);
  ~Membership();
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  // Looks for all at once, from now on.
  void start();
  // Ends all waiting; nothing is looked for any more.
  void stop();

  // Those that are there.
  std::set<std::string> present() const;
  // Those that are not.
  std::set<std::string> absent() const;
  // host:port of a machine that is there, as it was last found.
  std::string address(const std::string& name) const;
  // Counts the times that a machine has come.
  std::uint64_t arrivals(const std::string& name) const;

  // Looks for a machine now, and waits until it has answered or is gone; true if it answered. For one that
  // is silent that takes the heartbeats that it may miss.
  bool look(const std::string& name);
  // Waits until it is known of each machine whether it is there, at most `limit`.
  void wait_for_first_look(std::chrono::milliseconds limit);
  // Waits until all of these are there, at most `limit`. Whether they are.
  bool wait_for(const std::set<std::string>& names, std::chrono::milliseconds limit);

 private:
  struct Member {
    std::string name;
    bool present = false;
    std::string address;
    int missed = 0;
    std::uint64_t arrivals = 0;
    std::uint64_t answers = 0;  // looks that it answered
    bool known = false;         // whether it is there: it answered, was refused or silent long enough
    bool wanted = false;        // to be looked for at once
    std::thread thread;
  };
  enum class Answer : std::uint8_t { here, refused, silent };

  void watch(Member& member);
  Answer ask(const Member& member, const std::string& address, std::unique_ptr<WorkerClient>& client) const;
  bool note(Member& member, const std::string& address, Answer answer);
  const Member& member(const std::string& name) const;
  Member& member(const std::string& name);

  const Find find_;
  const MembershipOptions options_;
  const std::function<void()> changed_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable looked_;
  std::vector<std::unique_ptr<Member>>
      members_;            // what they hold, save name and thread, is guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
};

}  // namespace lamina
