// How the HTTP front end behaves.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lamina {

struct HttpOptions {
  std::string address = "127.0.0.1";  // an IP address or a name of this machine to listen on
  std::uint16_t port = 8765;          // 0: any free port
  int threads = 2;                    // threads that read, convert and write; predicting is not done on them

  std::size_t max_header_bytes = 16 << 10;
  std::uint64_t max_body_bytes = 256ULL << 20;    // of one request, also after unpacking an .npz
  std::uint64_t max_buffered_bytes = 1ULL << 30;  // of all requests together; beyond it 503
  std::size_t max_connections = 256;              // beyond it 503
  std::uint64_t min_bytes_per_second = 16 << 10;  // of a body; who sends or reads more slowly is cut off

  std::chrono::milliseconds header_timeout{10'000};    // to send a request's line and headers; also what a
                                                       // body may lag behind min_bytes_per_second
  std::chrono::milliseconds idle_timeout{60'000};      // between two requests of a connection
  std::chrono::milliseconds request_timeout{60'000};   // from a whole request to its answer
  std::chrono::milliseconds control_timeout{300'000};  // the same for /connect, /activate, /workerhealthcheck
  std::chrono::milliseconds drain_timeout{30'000};     // for requests in flight when the server stops

  std::vector<std::string> class_names;  // names of the classes an output scores; shown on the page
};

}  // namespace lamina
