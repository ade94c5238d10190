// --certificates, --tls-ca, --tls-cert, --tls-key, --tls-revoked and --insecure.
#pragma once

#include "cluster/certificates.h"

#include <string>

#include <CLI/App.hpp>

namespace lamina::cli {

// `name` is the certificate's in a directory that `lamina cert` made: "head" or "worker".
inline void add_tls_options(CLI::App& command, TlsFiles& files, const std::string& name) {
  auto* directory = command.add_option_function<std::string>(
      "--certificates", [&files, name](const std::string& path) { files = certificate_files(path, name); },
      "directory that 'lamina cert' made: TLS with its authority.pem, " + name + ".pem, " + name +
          ".key and, where there is one, revoked.pem");
  command.add_option("--tls-ca", files.authority, "PEM certificate of the authority that signed all others")
      ->excludes(directory);
  command
      .add_option("--tls-cert", files.certificate, "PEM certificate of this process, made out to 'lamina'")
      ->excludes(directory);
  command.add_option("--tls-key", files.key, "PEM key of that certificate")->excludes(directory);
  command
      .add_option("--tls-revoked", files.revoked,
                  "PEM list of certificates that the authority took back; may come later")
      ->excludes(directory);
  command
      .add_flag("--insecure", files.insecure,
                "talk to other machines without TLS: whoever reaches a port can do as they please")
      ->excludes(directory);
}

}  // namespace lamina::cli
