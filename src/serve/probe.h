// Asking an HTTP front end whether it serves.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace lamina {

struct ProbeAnswer {
  unsigned status = 0;
  std::string body;  // of at most 8 MiB: longer ones are no answer
};

// What GET `target` at host:port answers within `limit`, by HTTPS where `tls`; nothing where it does not.
// Certificates are not checked: ask nothing, and believe nothing, that matters.
std::optional<ProbeAnswer> probe(const std::string& host, int port, bool tls, const std::string& target,
                                 std::chrono::milliseconds limit);

// Whether GET /health/ready at host:port answers 200 within `limit`. Not reachable is no, never an error.
bool is_serving(const std::string& host, int port, bool tls, std::chrono::milliseconds limit);

}  // namespace lamina
