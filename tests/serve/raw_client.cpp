#include "serve/raw_client.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lamina {

namespace {

constexpr int kTimeoutMilliseconds = 10'000;

void wait_for(int socket, short events) {
  pollfd entry{socket, events, 0};
  if (::poll(&entry, 1, kTimeoutMilliseconds) != 1)
    throw std::runtime_error("the server did nothing for ten seconds");
}

}  // namespace

RawClient::RawClient(std::uint16_t port, int receive_buffer) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  if (receive_buffer > 0)
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  const int yes = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const std::string why = std::strerror(errno);
    ::close(socket_);
    throw std::runtime_error("can't connect: " + why);
  }
}

RawClient::~RawClient() { close(); }

void RawClient::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    wait_for(socket_, POLLOUT);
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool RawClient::more() {
  wait_for(socket_, POLLIN);
  std::array<char, 65536> block{};
  const ssize_t got = ::recv(socket_, block.data(), block.size(), 0);
  if (got <= 0) return false;
  pending_.append(block.data(), static_cast<std::size_t>(got));
  return true;
}

RawResponse RawClient::receive(bool head) {
  std::size_t end = 0;
  while ((end = pending_.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) throw std::runtime_error("the connection ended in the headers: '" + pending_ + "'");
  }
  RawResponse response;
  const std::string headers = pending_.substr(0, end + 2);
  pending_.erase(0, end + 4);
  if (headers.rfind("HTTP/1.", 0) != 0) throw std::runtime_error("no HTTP: " + headers);
  response.status = std::stoi(headers.substr(9, 3));
  for (std::size_t line = headers.find("\r\n") + 2; line < headers.size();) {
    const std::size_t line_end = headers.find("\r\n", line);
    const std::size_t colon = headers.find(": ", line);
    std::string name = headers.substr(line, colon - line);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    response.headers[name] = headers.substr(colon + 2, line_end - colon - 2);
    line = line_end + 2;
  }
  if (response.status < 200 || head) return response;
  const std::size_t length = std::stoull(response.headers.at("content-length"));
  while (pending_.size() < length) {
    if (!more()) throw std::runtime_error("the connection ended in the body");
  }
  response.body = pending_.substr(0, length);
  pending_.erase(0, length);
  return response;
}

bool RawClient::readable() {
  pollfd entry{socket_, POLLIN, 0};
  return !pending_.empty() || ::poll(&entry, 1, 0) == 1;
}

bool RawClient::closed() { return pending_.empty() && !more(); }

std::string post_input(std::string_view body, const std::string& target, const std::string& headers) {
  return "POST " + target + " HTTP/1.1\r\nHost: lamina\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + headers + "\r\n" + std::string(body);
}

std::string get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: lamina\r\n\r\n"; }

RawResponse fetch(std::uint16_t port, const std::string& request) {
  RawClient client(port);
  if (!client.send(request)) throw std::runtime_error("the server closed the connection");
  return client.receive(request.rfind("HEAD ", 0) == 0);
}

}  // namespace lamina
