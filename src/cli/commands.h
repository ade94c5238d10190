// The commands of the program. Each adds itself, its options and what it does to the command line.
#pragma once

#include <CLI/App.hpp>

namespace lamina::cli {

void add_inspect(CLI::App& app);
void add_predict(CLI::App& app);
void add_slice(CLI::App& app);
void add_worker(CLI::App& app);
void add_benchmark(CLI::App& app);
void add_configure(CLI::App& app);
void add_simulate(CLI::App& app);
void add_deploy(CLI::App& app);
void add_status(CLI::App& app);
void add_clean(CLI::App& app);
void add_up(CLI::App& app);
void add_image(CLI::App& app);
void add_bundle(CLI::App& app);
void add_health(CLI::App& app);
void add_cert(CLI::App& app);
void add_keep(CLI::App& app);

}  // namespace lamina::cli
