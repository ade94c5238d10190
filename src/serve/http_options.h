// How the HTTP front end behaves.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lamina {

// PEM files.
struct HttpTls {
  std::filesystem::path certificate;  // with those between it and its authority; none: HTTP in clear
  std::filesystem::path key;
  std::filesystem::path authority;     // clients that show a certificate signed by it are known
  std::filesystem::path revoked = {};  // of those, the ones that it took back; need not be there
  bool enabled() const { return !certificate.empty(); }
};

struct HttpOptions {
  std::string address = "127.0.0.1";  // an IP address or a name of this machine to listen on
  std::uint16_t port = 8765;          // 0: any free port
  int threads = 2;                    // threads that read, convert and write; predicting is not done on them

  std::size_t max_header_bytes = 16 << 10;
  std::uint64_t max_body_bytes = 256ULL << 20;    // of one request, also after unpacking an .npz
  std::uint64_t max_buffered_bytes = 1ULL << 30;  // of all requests together; beyond it 503
  std::size_t max_connections = 256;              // beyond it 503
  std::size_t max_connections_per_address = 128;  // beyond it 429; of IPv6 a network of 64 bits counts as one
  std::uint64_t min_bytes_per_second = 16 << 10;  // of a body; who sends or reads more slowly is cut off

  // 0: no limit. Beyond it 429.
  double max_requests_per_second = 0;  // of one client
  double max_stranger_requests_per_second =
      20;  // of one address without token or certificate, where one is needed

  std::chrono::milliseconds header_timeout{10'000};    // to send a request's line and headers; also what a
                                                       // body may lag behind min_bytes_per_second
  std::chrono::milliseconds idle_timeout{60'000};      // between two requests of a connection
  std::chrono::milliseconds request_timeout{60'000};   // from a whole request to its answer
  std::chrono::milliseconds control_timeout{300'000};  // the same for /connect, /activate, /workerhealthcheck
  std::chrono::milliseconds drain_timeout{30'000};     // for requests in flight when the server stops

  HttpTls tls;
  std::filesystem::path tokens;  // a file of them (tokens.h); clients that show one are known
  bool insecure = false;         // other machines may ask though nobody needs to be known
  bool guarded() const { return !tokens.empty() || !tls.authority.empty(); }

  std::vector<std::string> class_names;  // names of the classes an output scores; shown on the page
};

}  // namespace lamina
