// Listening for other processes, as head and workers do.
#pragma once

#include "cluster/acceptor.h"
#include "cluster/security.h"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/server.h>

namespace lamina {

struct Listener {
  std::unique_ptr<grpc::Server> server;
  std::string address;                 // host:port that others reach it at
  std::unique_ptr<Acceptor> acceptor;  // gives the server its connections; ends before it
};

// Serves at `address` (port 0: any that is free) until the server is shut down; the services must outlive it.
// Longer messages than `max_message_bytes` are refused before they are assembled. `who` stands in the
// Error(unavailable) for an address that can't be listened on, and in expect_protected()'s.
Listener listen_at(const std::string& address, const TlsFiles& tls, std::uint64_t max_message_bytes,
                   std::initializer_list<grpc::Service*> services, const std::string& who);

}  // namespace lamina
