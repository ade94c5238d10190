// --tls-ca, --tls-cert and --tls-key.
#pragma once

#include "cluster/security.h"

#include <CLI/App.hpp>

namespace lamina::cli {

inline void add_tls_options(CLI::App& command, TlsFiles& files) {
  command.add_option("--tls-ca", files.authority, "PEM certificate of the authority that signed all others");
  command.add_option("--tls-cert", files.certificate,
                     "PEM certificate of this process, made out to 'lamina'");
  command.add_option("--tls-key", files.key, "PEM key of that certificate");
}

}  // namespace lamina::cli
