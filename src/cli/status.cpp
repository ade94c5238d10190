// lamina status: what runs where.
#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "deploy/container_record.h"
#include "deploy/record.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

#include <CLI/CLI.hpp>
#include <fmt/ranges.h>

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

std::string format_time(std::chrono::system_clock::time_point when) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%F %T", &local);
  return text.data();
}

void add_recoveries(const std::string& deployment, const std::vector<Recovery>& recoveries,
                    std::vector<std::vector<std::string>>& rows) {
  for (const Recovery& recovery : recoveries) {
    const std::string seconds = recovery.seconds > 0 ? fmt::format("{:.2f} s", recovery.seconds) : "-";
    const std::string lost = recovery.lost.empty() ? "-" : fmt::format("{}", fmt::join(recovery.lost, ","));
    rows.push_back({deployment, format_time(recovery.when), seconds, std::to_string(recovery.requests_resent),
                    lost, recovery.reason});
  }
}

void print_recoveries(const std::vector<DeploymentRecord>& records,
                      const std::vector<ContainerRecord>& containers) {
  std::vector<std::vector<std::string>> rows = {
      {"deployment", "time", "served again after", "sent again", "lost", "reason"}};
  std::string untold;
  for (const DeploymentRecord& record : records) add_recoveries(record.id, record.recoveries, rows);
  for (const ContainerRecord& record : containers) {
    try {
      add_recoveries(record.name, recoveries_of(record), rows);
    } catch (const Error& error) {
      untold += fmt::format("\nrecoveries of {} are not known here: {}\n", record.name, error.what());
    }
  }
  if (rows.size() > 1) std::printf("\n%s", format_table(rows).c_str());
  std::printf("%s", untold.c_str());
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
    print_recoveries(records, containers);
  });
}

}  // namespace lamina::cli
