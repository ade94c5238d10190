// lamina clean: ends what deploy started and removes what it left.
#include "base/error.h"
#include "cli/commands.h"
#include "cli/papdl.h"
#include "deploy/container_record.h"
#include "deploy/record.h"

#include <algorithm>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

namespace lamina::cli {

void add_clean(CLI::App& app) {
  auto ids = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app.add_subcommand("clean", "End deployments and remove what they left");
  command->add_option("DEPLOYMENT", *ids, "which; without it, all of this user");
  const auto ignored = ignore_flags_of_papdl(*command);
  command->callback([ids, ignored] {
    const std::vector<DeploymentRecord> records = list_records();
    std::vector<ContainerRecord> containers = list_container_records();
    for (const std::string& id : *ids) {
      const bool known =
          std::any_of(records.begin(), records.end(), [&](const auto& record) { return record.id == id; }) ||
          std::any_of(containers.begin(), containers.end(),
                      [&](const auto& record) { return record.name == id; });
      if (known) continue;
      const std::optional<ContainerRecord> found = find_unrecorded(id);
      if (!found) fail(ErrorCode::not_found, "there is no deployment '{}'; see 'lamina status'", id);
      containers.push_back(*found);
    }
    std::size_t removed = 0;
    for (const DeploymentRecord& record : records) {
      if (!ids->empty() && std::find(ids->begin(), ids->end(), record.id) == ids->end()) continue;
      remove_deployment(record);
      ++removed;
    }
    for (const ContainerRecord& record : containers) {
      if (!ids->empty() && std::find(ids->begin(), ids->end(), record.name) == ids->end()) continue;
      remove_deployment(record);
      ++removed;
    }
    std::printf("removed %zu deployment%s\n", removed, removed == 1 ? "" : "s");
  });
}

}  // namespace lamina::cli
