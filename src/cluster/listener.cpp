#include "cluster/listener.h"

#include "base/error.h"

#include <algorithm>
#include <limits>

#include <grpcpp/server_builder.h>

namespace lamina {

namespace {
constexpr int kHandshakeMilliseconds = 10'000;
constexpr int kSilenceMilliseconds = 20'000;
}  // namespace

Listener listen_at(const std::string& address, const TlsFiles& tls, std::uint64_t max_message_bytes,
                   std::initializer_list<grpc::Service*> services, const std::string& who) {
  expect_protected(address, tls, who + " can't listen on");
  grpc::ServerBuilder builder;
  using Connections = grpc::experimental::ExternalConnectionAcceptor;
  const std::shared_ptr<Connections> connections = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, server_credentials(tls));
  builder.SetMaxReceiveMessageSize(
      static_cast<int>(std::min<std::uint64_t>(max_message_bytes, std::numeric_limits<int>::max())));
  builder.SetMaxSendMessageSize(-1);
  // Who never ends the handshake holds a connection no longer than this.
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMilliseconds);
  // A connection whose other end vanished without a word is not kept for ever.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kSilenceMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kSilenceMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // any number
  // The other end may ask as often as it likes whether this one is there.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  for (grpc::Service* service : services) builder.RegisterService(service);
  Listener listener;
  try {
    listener.acceptor = std::make_unique<Acceptor>(address, [connections](int socket) {
      Connections::NewConnectionParameters connection;
      connection.fd = socket;
      connections->HandleNewConnection(&connection);
    });
  } catch (const Error& error) {
    fail(ErrorCode::unavailable, "{} can't listen on {}", who, error.what());
  }
  listener.server = builder.BuildAndStart();
  if (!listener.server) fail(ErrorCode::unavailable, "{} can't serve at '{}'", who, address);
  listener.acceptor->start();
  listener.address = address.substr(0, address.rfind(':') + 1) + std::to_string(listener.acceptor->port());
  return listener;
}

}  // namespace lamina
