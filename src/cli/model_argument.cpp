#include "cli/model_argument.h"

#include "base/error.h"
#include "keras/reader.h"
#include "slice/artifact.h"

#include <filesystem>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {

// Sizes after the batch axis: "224,224,3".
Shape parse_sizes(const std::string& text, const std::string& option) {
  Shape shape = {kBatch};
  for (const std::string& part : CLI::detail::split(text, ',')) {
    std::size_t used = 0;
    std::int64_t size = 0;
    try {
      size = std::stoll(part, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used != part.size() || part.empty() || size < 1) {
      fail(ErrorCode::invalid_argument, "--input-shape is '{}', expected sizes such as 224,224,3", option);
    }
    shape.push_back(size);
  }
  return shape;
}

}  // namespace

void ModelArgument::add_to(CLI::App& command) {
  command.add_option("MODEL", path, "a .keras or .h5 file, or a directory made by 'lamina slice'")
      ->required();
  command.add_option("--input-shape", input_shapes,
                     "sizes of an input after its batch axis, where the model leaves them open: "
                     "[NAME=]224,224,3");
}

Graph ModelArgument::load() const {
  if (std::filesystem::is_directory(path) &&
      std::filesystem::exists(std::filesystem::path(path) / "model.json")) {
    return load_sliced_model(path).graph;
  }
  ReadOptions options;
  for (const std::string& option : input_shapes) {
    const std::size_t equals = option.find('=');
    const std::string name = equals == std::string::npos ? "" : option.substr(0, equals);
    const std::string sizes = equals == std::string::npos ? option : option.substr(equals + 1);
    options.input_shapes[name] = parse_sizes(sizes, option);
  }
  return read_model(path, options);
}

}  // namespace lamina::cli
