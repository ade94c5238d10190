#include "cluster/membership.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "cluster/worker_client.h"

#include <algorithm>
#include <utility>

namespace lamina {

namespace {

// A connection that breaks and can be made again at once is none that was lost.
constexpr int kStrikes = 3;
constexpr std::chrono::milliseconds kBetweenStrikes{20};
constexpr std::chrono::milliseconds kLeastLimit{100};

}  // namespace

Membership::Membership(const std::vector<std::string>& names, Find find, MembershipOptions options,
                       std::function<void()> changed)
    : find_(std::move(find)), options_(std::move(options)), changed_(std::move(changed)) {
  for (const std::string& name : names) {
    members_.push_back(std::make_unique<Member>());
    members_.back()->name = name;
  }
}

Membership::~Membership() {
  stop();
  for (const auto& member : members_) {
    if (member->thread.joinable()) member->thread.join();
  }
}

void Membership::start() {
  for (const auto& member : members_)
    member->thread = std::thread([this, one = member.get()] { watch(*one); });
}

void Membership::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
  looked_.notify_all();
}

const Membership::Member& Membership::member(const std::string& name) const {
  for (const auto& member : members_) {
    if (member->name == name) return *member;
  }
  fail(ErrorCode::not_found, "there is no machine '{}'", name);
}

Membership::Member& Membership::member(const std::string& name) {
  return const_cast<Member&>(std::as_const(*this).member(name));
}

std::set<std::string> Membership::present() const {
  const std::lock_guard lock(mutex_);
  std::set<std::string> names;
  for (const auto& member : members_) {
    if (member->present) names.insert(member->name);
  }
  return names;
}

std::set<std::string> Membership::absent() const {
  const std::lock_guard lock(mutex_);
  std::set<std::string> names;
  for (const auto& member : members_) {
    if (!member->present) names.insert(member->name);
  }
  return names;
}

std::string Membership::address(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return member(name).address;
}

std::uint64_t Membership::arrivals(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return member(name).arrivals;
}

bool Membership::look(const std::string& name) {
  std::unique_lock lock(mutex_);
  Member& one = member(name);
  if (!one.present) return false;
  // A look that is under way may have begun before what made the caller ask.
  const std::uint64_t answers = one.answers + 1;
  const std::uint64_t arrivals = one.arrivals;
  while (!stopping_ && one.present && one.arrivals == arrivals && one.answers <= answers) {
    one.wanted = true;
    wake_.notify_all();
    looked_.wait(lock);
  }
  return one.present && one.arrivals == arrivals;
}

void Membership::wait_for_first_look(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  looked_.wait_for(lock, limit, [this] {
    return stopping_ ||
           std::all_of(members_.begin(), members_.end(), [](const auto& one) { return one->known; });
  });
}

bool Membership::wait_for(const std::set<std::string>& names, std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  const auto all_present = [&] {
    return std::all_of(names.begin(), names.end(),
                       [this](const std::string& name) { return member(name).present; });
  };
  looked_.wait_for(lock, limit, [&] { return stopping_ || all_present(); });
  return all_present();
}

void Membership::watch(Member& member) {
  std::unique_ptr<WorkerClient> client;
  std::chrono::milliseconds pause = options_.heartbeat.interval;
  Clock::time_point next = Clock::now();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_until(lock, next, [&] { return stopping_ || member.wanted; });
    if (stopping_) return;
    member.wanted = false;
    const Clock::time_point begin = Clock::now();
    lock.unlock();
    const std::string address = find_(member.name);
    const Answer answer = ask(member, address, client);
    lock.lock();
    const bool changed = note(member, address, answer);
    // The old connection would be tried again ever more seldom, however long the machine is back. One that is
    // being made would stay open for ever: gRPC forgets it when its channel ends before the other side says
    // hello.
    if (member.known && !member.present && client && !client->is_connecting()) client.reset();
    // Whoever is gone is looked for less and less often, as long as nothing runs at all.
    pause = member.present || address.empty() ? options_.heartbeat.interval
                                              : std::min(2 * pause, options_.backoff);
    next = std::max(begin + pause, Clock::now());
    looked_.notify_all();
    if (!changed) continue;
    lock.unlock();
    changed_();
    lock.lock();
  }
}

Membership::Answer Membership::ask(const Member& member, const std::string& address,
                                   std::unique_ptr<WorkerClient>& client) const {
  if (address.empty()) return Answer::refused;
  for (int strike = 1; true; ++strike) {
    try {
      if (!client || client->address() != address)
        client = std::make_unique<WorkerClient>(address, options_.tls);
      client->look(std::max(options_.heartbeat.interval, kLeastLimit));
      return Answer::here;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::deadline_exceeded) return Answer::silent;
      // A new connection, at once: the old one would wait before it tries again.
      client.reset();
      spdlog::debug("machine '{}': {}", member.name, error.what());
      if (strike == kStrikes) return Answer::refused;
    }
    std::unique_lock lock(mutex_);
    if (stopping_) return Answer::refused;
    lock.unlock();
    std::this_thread::sleep_for(kBetweenStrikes);
  }
}

// Whether it came or went.
bool Membership::note(Member& member, const std::string& address, Answer answer) {
  const bool was_present = member.present;
  const bool moved = was_present && member.address != address;  // another process than before
  switch (answer) {
    case Answer::here:
      ++member.answers;
      member.missed = 0;
      member.known = true;
      member.address = address;
      member.present = true;
      if (!was_present || moved) ++member.arrivals;
      break;
    case Answer::refused:
      member.known = true;
      member.present = false;
      break;
    case Answer::silent:
      if (++member.missed < options_.heartbeat.missed) break;
      member.known = true;
      member.present = false;
      break;
  }
  // That a machine is there at first is what everybody expects.
  if (was_present && !member.present) spdlog::info("machine '{}' is gone", member.name);
  if (!was_present && member.present && member.arrivals > 1)
    spdlog::info("machine '{}' is there again", member.name);
  return was_present != member.present || moved;
}

}  // namespace lamina
