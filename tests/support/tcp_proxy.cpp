#include "support/tcp_proxy.h"

#include <array>
#include <cerrno>
#include <stdexcept>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lamina {

namespace {

constexpr int kPoll = 20;  // milliseconds

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

struct TcpProxy::Connection {
  int client = -1;
  int server = -1;
  std::thread there;
  std::thread back;
  ~Connection() {
    there.join();
    back.join();
    ::close(client);
    ::close(server);
  }
  void end() const {
    ::shutdown(client, SHUT_RDWR);
    ::shutdown(server, SHUT_RDWR);
  }
};

TcpProxy::TcpProxy(const std::string& target) : target_(std::stoi(target.substr(target.rfind(':') + 1))) {
  listen();
}

TcpProxy::~TcpProxy() {
  stopping_ = true;
  stop_listening();
  interrupt();
}

void TcpProxy::listen() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  sockaddr_in address = loopback(port_);
  socklen_t size = sizeof(address);
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0)
    throw std::runtime_error("the proxy can't listen");
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this, listener = listener_] { accept_all(listener); });
}

void TcpProxy::stop_listening() {
  if (listener_ < 0) return;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  listener_ = -1;
}

void TcpProxy::accept_all(int listener) {
  while (true) {
    const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(target_);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      ::close(client);
      ::close(server);
      continue;
    }
    const int yes = 1;
    ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    ::setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    auto connection = std::make_unique<Connection>();
    connection->client = client;
    connection->server = server;
    connection->there = std::thread([this, client, server] { pass(client, server); });
    connection->back = std::thread([this, client, server] { pass(server, client); });
    const std::lock_guard lock(mutex_);
    connections_.push_back(std::move(connection));
  }
}

void TcpProxy::pass(int from, int to) {
  std::array<char, 65536> bytes{};
  while (!stopping_) {
    pollfd ready{from, POLLIN, 0};
    if (::poll(&ready, 1, kPoll) < 0) break;
    if (ready.revents == 0 || blocked_) {
      if (blocked_) std::this_thread::sleep_for(std::chrono::milliseconds(kPoll));
      continue;
    }
    const ssize_t count = ::recv(from, bytes.data(), bytes.size(), 0);
    if (count <= 0) break;
    if (delay_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(delay_));
    ssize_t sent = 0;
    while (sent < count) {
      const ssize_t part =
          ::send(to, bytes.data() + sent, static_cast<std::size_t>(count - sent), MSG_NOSIGNAL);
      if (part <= 0) break;
      sent += part;
    }
    if (sent < count) break;
  }
  ::shutdown(from, SHUT_RDWR);
  ::shutdown(to, SHUT_RDWR);
}

void TcpProxy::interrupt() {
  std::list<std::unique_ptr<Connection>> ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(connections_);
  }
  for (const auto& connection : ended) connection->end();
}

void TcpProxy::cut() {
  stop_listening();
  interrupt();
}

void TcpProxy::mend() {
  blocked_ = false;
  if (listener_ < 0) listen();
}

}  // namespace lamina
