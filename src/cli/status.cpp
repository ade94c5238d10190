// lamina status: what runs where.
#include "base/text.h"
#include "cli/commands.h"
#include "deploy/record.h"

#include <cstdio>

#include <CLI/CLI.hpp>

namespace lamina::cli {

void add_status(CLI::App& app) {
  CLI::App* command = app.add_subcommand("status", "Show what runs on this machine");
  command->callback([] {
    const std::vector<DeploymentRecord> records = list_records();
    if (records.empty()) {
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
    std::printf("%s", format_table(rows).c_str());
  });
}

}  // namespace lamina::cli
