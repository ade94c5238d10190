// Mutual TLS between processes.
#pragma once

#include <filesystem>
#include <memory>

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

namespace lamina {

// PEM files. Both ends show a certificate that the same authority signed, made out to the name "lamina",
// whatever their address. Empty paths: no TLS.
struct TlsFiles {
  std::filesystem::path authority;
  std::filesystem::path certificate;
  std::filesystem::path key;
  bool enabled() const { return !authority.empty() || !certificate.empty() || !key.empty(); }
};

// Error(not_found | invalid_argument) where a file is missing.
std::shared_ptr<grpc::ServerCredentials> server_credentials(const TlsFiles& files);
std::shared_ptr<grpc::ChannelCredentials> channel_credentials(const TlsFiles& files);

// A channel with the limits and the TLS name that all connections of the program share.
std::shared_ptr<grpc::Channel> open_channel(const std::string& address, const TlsFiles& files);

}  // namespace lamina
