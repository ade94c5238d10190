// lamina slice: a model as data on disk, cut into pieces.
#include "base/text.h"
#include "cli/commands.h"
#include "cli/model_argument.h"
#include "slice/artifact.h"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

namespace lamina::cli {

void add_slice(CLI::App& app) {
  struct Options {
    ModelArgument model;
    std::string directory;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("slice", "Cut a model into pieces and write them to a directory");
  options->model.add_to(*command);
  command->add_option("-o,--output", options->directory, "directory to write")->required();
  command->callback([options] {
    const SlicedModel model = slice_model(options->model.load());
    save_sliced_model(options->directory, model);
    std::vector<std::vector<std::string>> rows = {{"piece", "layers", "crossing into it"}};
    for (std::size_t piece = 0; piece + 1 < model.boundaries.size(); ++piece) {
      rows.push_back({std::to_string(piece), piece_name(model, piece),
                      format_bytes(model.cuts[model.boundaries[piece]].bytes_per_item)});
    }
    std::printf("%swrote %s: %zu pieces, %zu legal cuts\n", format_table(rows).c_str(),
                options->directory.c_str(), model.boundaries.size() - 1, model.cuts.size() - 2);
  });
}

}  // namespace lamina::cli
