// Asking an HTTP front end whether it serves.
#pragma once

#include <chrono>
#include <string>

namespace lamina {

// Whether GET /health/ready at host:port answers 200 within `limit`. Not reachable is no, never an error.
bool is_serving(const std::string& host, int port, std::chrono::milliseconds limit);

}  // namespace lamina
