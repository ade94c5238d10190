#include "cluster/acceptor.h"

#include "base/clock.h"
#include "base/error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <utility>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

namespace lamina {

namespace {

constexpr double kPerSecond = 64;
constexpr double kAtOnce = 512;
// The lowest free number is a new descriptor's, so numbers tell how many are open.
constexpr rlim_t kMostDescriptors = 4096;
// After the system had no descriptor left.
constexpr std::chrono::milliseconds kPause{100};

[[noreturn]] void fail_to_listen(const std::string& address, const std::string& reason) {
  fail(ErrorCode::unavailable, "'{}': {}", address, reason);
}

struct Names {
  std::string host;
  std::string port;
};

Names names_of(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) fail_to_listen(address, "expected HOST:PORT");
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return {host, address.substr(colon + 1)};
}

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Addresses resolve(const std::string& address) {
  const Names names = names_of(address);
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(names.host.empty() ? nullptr : names.host.c_str(), names.port.c_str(), &wanted, &found);
  if (error != 0) fail_to_listen(address, ::gai_strerror(error));
  return {found, &::freeaddrinfo};
}

// The port, in the byte order of the network, wherever it stands.
in_port_t& port_of(sockaddr_storage& address) {
  return address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                       : reinterpret_cast<sockaddr_in&>(address).sin_port;
}

// Who has one address of an IPv6 network of 64 bits has all of them.
std::string key_of(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto& four = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &four.sin_addr, text.data(), text.size());
  } else {
    in6_addr six = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&six) == 0) std::memset(&six.s6_addr[8], 0, 8);
    ::inet_ntop(AF_INET6, &six, text.data(), text.size());
  }
  return text.data();
}

// Below 0 with errno where that can't be. `alone`: the host has no other address.
Descriptor listen_on(const addrinfo& where, int port, bool alone) {
  Descriptor socket(::socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return socket;
  sockaddr_storage place{};
  std::memcpy(&place, where.ai_addr, where.ai_addrlen);
  if (port != 0) port_of(place) = htons(static_cast<in_port_t>(port));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // "[::]" takes IPv4 too; beside an IPv4 address of the same host it must not.
  const int six_alone = alone ? 0 : 1;
  if (where.ai_family == AF_INET6)
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &six_alone, sizeof(six_alone));
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&place), where.ai_addrlen) == 0 &&
      ::listen(socket.get(), SOMAXCONN) == 0)
    return socket;
  const int reason = errno;
  { const Descriptor closed(std::move(socket)); }
  errno = reason;
  return Descriptor(-1);
}

// Of all descriptors, the rest is for files and for connections of this process's own.
int most_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(std::min(limit.rlim_cur / 4 * 3, kMostDescriptors));
}

}  // namespace

Acceptor::Acceptor(const std::string& address, Take take)
    : take_(std::move(take)), end_(::eventfd(0, EFD_CLOEXEC)), rates_(kPerSecond, kAtOnce) {
  if (end_.get() < 0) fail_with_errno(errno, "can't make an event");
  const Addresses found = resolve(address);
  int reason = EADDRNOTAVAIL;
  for (const addrinfo* one = found.get(); one != nullptr; one = one->ai_next) {
    Descriptor socket = listen_on(*one, port_, found->ai_next == nullptr);
    if (socket.get() >= 0) {
      sockaddr_storage place{};
      socklen_t size = sizeof(place);
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&place), &size);
      // The same port for all addresses of the host.
      port_ = ntohs(port_of(place));
      sockets_.push_back(std::move(socket));
      continue;
    }
    reason = errno;
    // A machine may know IPv6 by name and have none.
    if (reason != EAFNOSUPPORT && reason != EADDRNOTAVAIL) break;
  }
  if (sockets_.empty() || (reason != EAFNOSUPPORT && reason != EADDRNOTAVAIL))
    fail_to_listen(address, std::strerror(reason));
}

Acceptor::~Acceptor() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  static_cast<void>(::write(end_.get(), &one, sizeof(one)));
  thread_.join();
}

void Acceptor::start() {
  thread_ = std::thread([this] { run(); });
}

void Acceptor::run() {
  std::vector<pollfd> waits;
  for (const Descriptor& socket : sockets_) waits.push_back({socket.get(), POLLIN, 0});
  waits.push_back({end_.get(), POLLIN, 0});
  while (::poll(waits.data(), waits.size(), -1) >= 0 || errno == EINTR) {
    if (waits.back().revents != 0) return;
    for (std::size_t i = 0; i + 1 < waits.size(); ++i) {
      if (waits[i].revents != 0) accept_from(waits[i].fd);
    }
  }
}

void Acceptor::accept_from(int socket) {
  sockaddr_storage from{};
  socklen_t size = sizeof(from);
  const int taken =
      ::accept4(socket, reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (taken < 0) {
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return;
    spdlog::warn("accepting a connection: {}", std::strerror(errno));
    std::this_thread::sleep_for(kPause);
    return;
  }
  if (taken >= most_descriptors() || rates_.wait_of(key_of(from), Clock::now()).count() > 0) {
    ::close(taken);
    return;
  }
  const int on = 1;
  ::setsockopt(taken, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  take_(taken);
}

}  // namespace lamina
