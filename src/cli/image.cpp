// lamina image: what containers run from, made from this program.
#include "deploy/image.h"

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "deploy/docker.h"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {

struct Options {
  std::string engine = "openvino";
  std::string output;
  std::string name = image_name(LAMINA_VERSION);
  std::string registry;
  bool load = false;
};

void build(const Options& options) {
  const Docker docker;
  // What can't work is said before the work.
  if (options.load || !options.registry.empty()) docker.check();
  const TemporaryDirectory scratch;
  const bool kept = !options.output.empty() || (!options.load && options.registry.empty());
  std::filesystem::path path = options.output;
  if (path.empty()) path = kept ? std::filesystem::path("lamina.oci.tar") : scratch.path() / "image.tar";
  const WrittenImage image =
      write_image(path, describe_image(find_runtime_files(options.engine), options.name, LAMINA_VERSION));
  std::printf("%s: %zu files of %s, packed %s, %s\n", options.name.c_str(), image.files,
              format_bytes(image.unpacked_bytes).c_str(), format_bytes(image.packed_bytes).c_str(),
              image.id.c_str());
  if (kept) std::printf("wrote %s\n", path.c_str());
  if (!options.load && options.registry.empty()) return;

  const bool known = docker.image_id(options.name) == image.id;
  if (!known) docker.load(path);
  if (options.load) std::printf("loaded %s\n", options.name.c_str());
  // What only had to pass through Docker does not stay there, whether the registry takes it or not.
  const auto forget = [&] {
    if (!known && !options.load) docker.run({"image", "rm", options.name});
  };
  if (options.registry.empty()) return;
  try {
    std::printf("pushed %s\n", docker.push(options.name, options.registry).name.c_str());
  } catch (const Error&) {
    forget();
    throw;
  }
  forget();
}

}  // namespace

void add_image(CLI::App& app) {
  CLI::App* image = app.add_subcommand("image", "Make the image that containers run from");
  image->require_subcommand(1);
  auto options = std::make_shared<Options>();
  CLI::App* command = image->add_subcommand(
      "build", "Write this program, an engine and their libraries as an image; needs no Docker");
  command->add_option("--engine", options->engine, "what runs the stages")->capture_default_str();
  command->add_option("-o,--output", options->output,
                      "tar to write, an OCI layout that 'docker load' reads too; lamina.oci.tar without it, "
                      "--load and --push");
  command->add_option("--name", options->name, "name and tag")->capture_default_str();
  command->add_flag("--load", options->load, "give it to Docker");
  command->add_option("--push", options->registry,
                      "give it to a registry, HOST[:PORT][/FOLDER], through Docker");
  command->callback([options] { build(*options); });
}

}  // namespace lamina::cli
