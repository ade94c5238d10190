// Asking an HTTP front end whether it serves.
#pragma once

#include <chrono>
#include <string>

namespace lamina {

// Whether GET /health/ready at host:port answers 200 within `limit`, by HTTPS where `tls`. Not reachable is
// no, never an error. Nothing is sent that a stranger might not see, so certificates are not checked.
bool is_serving(const std::string& host, int port, bool tls, std::chrono::milliseconds limit);

}  // namespace lamina
