// A way to a server that can be broken, blocked and mended.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace lamina {

// Passes on what comes to a port of the loopback. Thread-safe.
class TcpProxy {
 public:
  // `target` is host:port of the loopback.
  explicit TcpProxy(const std::string& target);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // Connections break; new ones are taken.
  void interrupt();
  // Connections break; new ones are refused until mend().
  void cut();
  // Connections stay and nothing passes, as where a process stands still, until mend().
  void block() { blocked_ = true; }
  void mend();
  // Each piece that passes waits so long.
  void delay(std::chrono::milliseconds time) { delay_ = static_cast<int>(time.count()); }

 private:
  struct Connection;

  void listen();
  void stop_listening();
  void accept_all(int listener);
  void pass(int from, int to);

  int target_ = 0;  // port
  int port_ = 0;
  std::atomic<bool> blocked_ = false;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> delay_ = 0;
  std::mutex mutex_;
  int listener_ = -1;
  std::thread acceptor_;
  std::list<std::unique_ptr<Connection>> connections_;
};

}  // namespace lamina
