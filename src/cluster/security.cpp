#include "cluster/security.h"

#include "base/error.h"
#include "base/file.h"
#include "cluster/revocation.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/support/channel_arguments.h>
#include <netinet/in.h>

namespace lamina {

namespace {

// Milliseconds of an attempt to connect.
constexpr int kConnectLimit = 8000;
constexpr std::uint64_t kMaxPem = 1U << 20U;
// A process that is alive but busy answers within the second.
constexpr std::chrono::milliseconds kLeastBetweenPings{250};
constexpr std::chrono::milliseconds kLeastForAnswer{750};

std::string read_pem(const std::filesystem::path& path, std::string_view what) {
  if (path.empty()) {
    fail(ErrorCode::invalid_argument, "TLS needs three files, the {} is missing", what);
  }
  return read_file(path, kMaxPem);
}

// The host of host:port or [host]:port.
std::string host_of(std::string_view address) {
  std::string_view host = address.substr(0, address.rfind(':'));
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return std::string(host);
}

// Nothing where there is no place for a list.
std::shared_ptr<RevokedCertificates> revoked_of(const TlsFiles& files) {
  if (files.revoked.empty()) return nullptr;
  return std::make_shared<RevokedCertificates>(files.authority, files.revoked);
}

std::string_view view(const grpc::string_ref& text) { return {text.data(), text.size()}; }

// TLS has checked who signed the caller's certificate, this checks whom it was made out to and that it was
// not taken back: at each call, whenever the connection was made.
class ProcessesOnly final : public grpc::AuthMetadataProcessor {
 public:
  explicit ProcessesOnly(std::shared_ptr<RevokedCertificates> revoked) : revoked_(std::move(revoked)) {}
  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata&, grpc::AuthContext* context, OutputMetadata*,
                       OutputMetadata*) override {
    const auto names = context->FindPropertyValues(GRPC_X509_SAN_PROPERTY_NAME);
    const bool process =
        std::any_of(names.begin(), names.end(), [](const auto& name) { return view(name) == kProcessName; });
    const auto shown = context->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
    if (process && revoked_ && (shown.empty() || revoked_->contains_pem(view(shown.front()))))
      return {grpc::StatusCode::PERMISSION_DENIED, "the certificate shown was taken back"};
    if (process) return grpc::Status::OK;
    return {grpc::StatusCode::PERMISSION_DENIED,
            fmt::format("the certificate shown is no process's: it is not made out to '{}'", kProcessName)};
  }

 private:
  const std::shared_ptr<RevokedCertificates> revoked_;
};

// The same of whom is called: at each handshake, after TLS has checked the signature.
class ProcessVerifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  explicit ProcessVerifier(std::shared_ptr<RevokedCertificates> revoked) : revoked_(std::move(revoked)) {}
  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)> /*later*/, grpc::Status* status) override {
    const auto names = request->dns_names();
    const bool process =
        std::any_of(names.begin(), names.end(), [](const auto& name) { return view(name) == kProcessName; });
    if (!process) {
      *status = {grpc::StatusCode::UNAUTHENTICATED, "the certificate shown is no process's"};
    } else if (revoked_ && revoked_->contains_pem(view(request->peer_cert()))) {
      *status = {grpc::StatusCode::UNAUTHENTICATED, "the certificate shown was taken back"};
    }
    return true;
  }
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest* /*request*/) override {}

 private:
  const std::shared_ptr<RevokedCertificates> revoked_;
};

}  // namespace

bool is_loopback(std::string_view address) {
  if (address.substr(0, 5) == "unix:") return true;
  const std::string host = host_of(address);
  if (host == "localhost") return true;
  in_addr four{};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24U) == IN_LOOPBACKNET;
  in6_addr six{};
  return ::inet_pton(AF_INET6, host.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six) != 0;
}

void expect_protected(const std::string& address, const TlsFiles& files, std::string_view what) {
  if (files.enabled() || files.insecure || is_loopback(address)) return;
  fail(
      ErrorCode::invalid_argument,
      "{} '{}' without certificates: others could get in from there. Make some by 'lamina cert DIR' and give "
      "--certificates DIR to the head and to all workers, or say --insecure where the network keeps "
      "strangers away",
      what, address);
}

std::shared_ptr<grpc::ServerCredentials> server_credentials(const TlsFiles& files) {
  if (!files.enabled()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = read_pem(files.authority, "authority");
  options.pem_key_cert_pairs.push_back(
      {read_pem(files.key, "key"), read_pem(files.certificate, "certificate")});
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::SslServerCredentials(options);
  credentials->SetAuthMetadataProcessor(std::make_shared<ProcessesOnly>(revoked_of(files)));
  return credentials;
}

std::shared_ptr<grpc::ChannelCredentials> channel_credentials(const TlsFiles& files) {
  if (!files.enabled()) return grpc::InsecureChannelCredentials();
  namespace tls = grpc::experimental;
  const std::vector<tls::IdentityKeyCertPair> own = {
      {read_pem(files.key, "key"), read_pem(files.certificate, "certificate")}};
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<tls::StaticDataCertificateProvider>(read_pem(files.authority, "authority"), own));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  // All processes have one name, whatever their address.
  options.set_check_call_host(false);
  options.set_certificate_verifier(
      tls::ExternalCertificateVerifier::Create<ProcessVerifier>(revoked_of(files)));
  return tls::TlsCredentials(options);
}

std::shared_ptr<grpc::Channel> open_channel(const std::string& address, const TlsFiles& files,
                                            std::chrono::milliseconds silence) {
  expect_protected(address, files, "can't connect to");
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  if (files.enabled()) arguments.SetSslTargetNameOverride(std::string(kProcessName));
  // Each channel its own connection: a link that breaks takes no other with it.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectLimit);
  if (silence.count() > 0) {
    const std::chrono::milliseconds between = std::max(silence / 3, kLeastBetweenPings);
    const std::chrono::milliseconds answer = std::max(silence - between, kLeastForAnswer);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(between.count()));
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(answer.count()));
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // any number
  }
  return grpc::CreateCustomChannel(address, channel_credentials(files), arguments);
}

}  // namespace lamina
