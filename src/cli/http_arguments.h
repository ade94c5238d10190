// Who may ask the HTTP front end, and how much.
#pragma once

#include "cluster/security.h"
#include "serve/http_options.h"

#include <cstddef>
#include <string>

#include <CLI/App.hpp>

namespace lamina::cli {

struct HttpArguments {
  bool tls = false;
  std::string certificate;
  std::string key;
  std::string tokens;  // the file that has them: secrets never stand in arguments
  bool certificates = false;
  double rate = 0;
  std::string max_body = "256MiB";
  std::size_t max_connections = 256;
  std::size_t max_connections_per_address = 128;
  void add_to(CLI::App& command);
  // With the certificate and the authority of `process` where no others are given.
  HttpOptions options(const TlsFiles& process) const;
};

}  // namespace lamina::cli
