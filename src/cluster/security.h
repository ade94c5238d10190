// Mutual TLS between processes.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

namespace lamina {

// In the certificates of processes and of nobody else: whoever shows another name is no process.
constexpr std::string_view kProcessName = "lamina";

// PEM files. Both ends show a certificate that the same authority signed, made out to kProcessName, whatever
// their address. Empty paths: no TLS, which only processes of one machine may talk by.
struct TlsFiles {
  std::filesystem::path authority;
  std::filesystem::path certificate;
  std::filesystem::path key;
  std::filesystem::path revoked = {};  // those that the authority took back; need not be there
  bool insecure = false;               // other machines may be talked to without TLS, too
  bool enabled() const { return !authority.empty() || !certificate.empty() || !key.empty(); }
};

// Whether host:port can only be this machine: 127.0.0.0/8, [::1], localhost, unix:… Other names are not
// looked up.
bool is_loopback(std::string_view address);

// Error(invalid_argument) where `address` is not the loopback and neither TLS nor `insecure` is set; `what`
// is what would be done there, such as "the head can't listen on".
void expect_protected(const std::string& address, const TlsFiles& files, std::string_view what);

// The server takes calls from processes only: certificates that the authority signed for others, such as HTTP
// clients, are refused. Error(not_found | invalid_argument) where a file is missing.
std::shared_ptr<grpc::ServerCredentials> server_credentials(const TlsFiles& files);
std::shared_ptr<grpc::ChannelCredentials> channel_credentials(const TlsFiles& files);

// A channel with the limits and the TLS name that all connections of the program share, to an address that
// expect_protected() lets pass. A connection on which the other end says nothing for `silence`, even when
// asked, breaks (at the earliest after a second); with 0 only the system decides that, after many minutes.
std::shared_ptr<grpc::Channel> open_channel(const std::string& address, const TlsFiles& files,
                                            std::chrono::milliseconds silence = {});

}  // namespace lamina
