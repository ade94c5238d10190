// lamina cert: an authority and the certificates by which processes and clients know each other.
#include "base/error.h"
#include "cli/commands.h"
#include "cluster/certificates.h"
#include "cluster/revocation.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <unistd.h>

namespace lamina::cli {

namespace {

struct Options {
  std::string directory;
  std::vector<std::string> processes;
  std::vector<std::string> clients;
  std::vector<std::string> servers;
  std::vector<std::string> hosts;
  std::vector<std::string> revoked;
  int days = 365;
};

// What HTTPS clients on this machine, and on others by its name, call the head.
std::vector<std::string> own_hosts() {
  std::vector<std::string> hosts = {"localhost", "127.0.0.1", "::1"};
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0') hosts.emplace_back(name.data());
  return hosts;
}

const char* name_of(CertificateHolder holder) {
  switch (holder) {
    case CertificateHolder::process:
      return "process";
    case CertificateHolder::server:
      return "server";
    default:
      return "client";
  }
}

void expect_absent(const std::filesystem::path& directory, const std::string& name) {
  const TlsFiles files = certificate_files(directory, name);
  for (const std::filesystem::path& file : {files.certificate, files.key}) {
    if (std::filesystem::exists(std::filesystem::symlink_status(file))) {
      fail(ErrorCode::already_exists, "'{}' exists; certificates are never overwritten", file.string());
    }
  }
}

void revoke(const Options& options) {
  for (const std::string& name : options.revoked) revoke_certificate(options.directory, name);
  std::printf("%s: give it to every machine that should heed it, beside authority.pem\n",
              certificate_files(options.directory, "authority").revoked.c_str());
}

void run(const Options& options) {
  if (!options.revoked.empty()) {
    revoke(options);
    return;
  }
  std::vector<std::string> hosts = own_hosts();
  hosts.insert(hosts.end(), options.hosts.begin(), options.hosts.end());
  std::vector<CertificateRequest> requests;
  for (const std::string& name : options.processes) {
    requests.push_back({name, CertificateHolder::process, hosts});
  }
  for (const std::string& name : options.servers)
    requests.push_back({name, CertificateHolder::server, hosts});
  for (const std::string& name : options.clients) requests.push_back({name, CertificateHolder::client, {}});
  if (requests.empty()) {
    requests = {{"head", CertificateHolder::process, hosts},
                {"worker", CertificateHolder::process, {}},
                {"client", CertificateHolder::client, {}}};
    // Found out before the first file is made, so that all of them are or none.
    for (const CertificateRequest& request : requests) expect_absent(options.directory, request.name);
    create_authority(options.directory);
    const TlsFiles authority = certificate_files(options.directory, "authority");
    std::printf("%s (key %s: keep it here)\n", authority.certificate.c_str(), authority.key.c_str());
  }
  create_certificates(options.directory, requests, options.days);
  for (const CertificateRequest& request : requests) {
    const TlsFiles files = certificate_files(options.directory, request.name);
    std::printf("%s, %s: a %s's, for %d days\n", files.certificate.c_str(), files.key.c_str(),
                name_of(request.holder), options.days);
  }
}

}  // namespace

void add_cert(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "cert", "Make an authority and certificates for head, workers and clients, or more of them");
  command->add_option("DIR", options->directory, "where they are kept; keys are for their owner's eyes only")
      ->required();
  command->add_option(
      "--client", options->clients,
      "by the authority that DIR has: one more certificate, for a client of the HTTP front end");
  command->add_option("--process", options->processes, "the same for a head or a worker");
  command->add_option("--server", options->servers,
                      "the same for another program's TLS, such as a registry's, at --host");
  command->add_option("--host", options->hosts,
                      "a name or address that HTTPS clients reach the head at, beside those of this machine");
  command->add_option("--days", options->days, "how long they last")
      ->capture_default_str()
      ->check(CLI::Range(1, 3650));
  command
      ->add_option(
          "--revoke", options->revoked,
          "take back the certificate NAME.pem of DIR: adds it to DIR/revoked.pem, which processes read "
          "again by themselves")
      ->excludes("--client")
      ->excludes("--process")
      ->excludes("--host");
  command->callback([options] { run(*options); });
}

}  // namespace lamina::cli
