// Accepting connections for gRPC, within bounds that gRPC does not know: whoever opens more than there are
// descriptors would have it listen no more, for good.
#pragma once

#include "base/descriptor.h"
#include "base/rate_limit.h"

#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace lamina {

// Listens from construction to destruction, on a thread of its own. A connection beyond the bounds is closed
// at once: of one address (of IPv6 a network of 64 bits) 512 at once and 64 a second in the long run, which
// in the ten seconds that strangers have for a handshake leaves room for others; in all as many as keep the
// process well below its limit of open files.
class Acceptor {
 public:
  // Takes over a connected socket that does not block.
  using Take = std::function<void(int socket)>;

  // HOST:PORT or [HOST]:PORT; port 0: any that is free. Error(unavailable) with what the system says.
  Acceptor(const std::string& address, Take take);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  int port() const { return port_; }
  // Connections are taken from now on; those that came before wait.
  void start();

 private:
  void run();
  void accept_from(int socket);

  const Take take_;
  int port_ = 0;
  std::vector<Descriptor> sockets_;  // one for each address of the host
  Descriptor end_;                   // readable once the thread is to end
  RateLimit rates_;
  std::thread thread_;
};

}  // namespace lamina
