// lamina status: what runs where.
#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "deploy/container_record.h"
#include "deploy/record.h"

#include <cstdio>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {

void add_containers(const ContainerRecord& record, std::vector<std::vector<std::string>>& rows) {
  const std::string port = "port " + std::to_string(record.port);
  try {
    for (const ContainerProcess& process : containers_of(record))
      rows.push_back({record.name, record.directory, port, process.role, process.id, process.state});
  } catch (const Error& error) {
    rows.push_back({record.name, record.directory, port, record.target, "", error.what()});
  }
}

}  // namespace

void add_status(CLI::App& app) {
  CLI::App* command = app.add_subcommand("status", "Show what runs on this machine");
  command->callback([] {
    const std::vector<DeploymentRecord> records = list_records();
    const std::vector<ContainerRecord> containers = list_container_records();
    if (records.empty() && containers.empty()) {
      std::printf("nothing is deployed\n");
      return;
    }
    std::vector<std::vector<std::string>> rows = {
        {"deployment", "model", "address", "process", "pid", "state"}};
    for (const DeploymentRecord& record : records) {
      for (const RecordedProcess& process : record.processes) {
        rows.push_back({record.id, record.model_directory, "port " + std::to_string(record.port),
                        process.role, std::to_string(process.pid),
                        is_running(process) ? "running" : "ended"});
      }
    }
    for (const ContainerRecord& record : containers) add_containers(record, rows);
    std::printf("%s", format_table(rows).c_str());
  });
}

}  // namespace lamina::cli
