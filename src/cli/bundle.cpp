// lamina bundle: a model as a directory that Docker Compose runs.
#include "deploy/bundle.h"

#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/model_argument.h"
#include "cli/steps.h"
#include "deploy/image.h"
#include "plan/plan_file.h"
#include "serve/tokens.h"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <unistd.h>

namespace lamina::cli {

namespace {

struct Options {
  ModelArgument model;
  std::string directory;
  std::string plan;
  std::string image = image_name(LAMINA_VERSION);
  std::string engine = "openvino";
  bool tar = false;
  bool tls = false;
  bool auth = false;
  std::string tokens;
};

// Puts the sliced model into `directory`. A plan holds for a model.json to the byte, so one that is sliced
// already is copied as it is.
Plan put_model(const Options& options, const std::filesystem::path& directory) {
  const std::filesystem::path source = options.model.path;
  const bool is_sliced = std::filesystem::exists(source / "model.json");
  if (is_sliced) {
    for (const char* file : {"model.json", "weights.safetensors"})
      copy_into_bundle(source / file, directory / file);
  } else {
    save_sliced_model(directory, slice_model(options.model.load()));
  }
  const SlicedModel model = load_sliced_model(directory);
  check_weights(directory, model);
  const std::string hash = hash_of_model(directory);
  const std::filesystem::path beside = source / "plan.json";
  if (options.plan.empty() && !std::filesystem::exists(beside)) return plan_for_one_worker(model, hash);
  const std::filesystem::path file = options.plan.empty() ? beside : std::filesystem::path(options.plan);
  Plan plan = read_plan(file);
  if (plan.model_hash != hash) {
    fail(ErrorCode::invalid_argument,
         "'{}' was made for another model than '{}'; give the directory that was planned as MODEL",
         file.string(), options.model.path);
  }
  if (const std::string why = put_measurements(source, directory, plan); !why.empty())
    std::fprintf(stderr, "without measurements, so a worker that is lost stops the bundle: %s\n",
                 why.c_str());
  return plan;
}

void bundle(const Options& options) {
  BundleOptions made;
  made.compose.image = options.image;
  made.compose.name =
      project_name(std::filesystem::absolute(options.directory).lexically_normal().filename());
  made.compose.tls = options.tls;
  made.compose.auth = options.auth || !options.tokens.empty();
  // Root's images run as nobody in particular; everybody else's as themselves, who can read their secrets.
  const unsigned user = ::geteuid();
  if (user != 0) made.compose.user = fmt::format("{}:{}", user, ::getegid());
  if (!options.tokens.empty()) load_tokens(options.tokens);
  made.tokens = options.tokens;
  if (options.tar) {
    made.write_image = [&options](const std::filesystem::path& path) {
      write_image(path, describe_image(find_runtime_files(options.engine), options.image, LAMINA_VERSION));
    };
  }
  write_bundle(
      options.directory, [&](const std::filesystem::path& place) { return put_model(options, place); }, made);
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(options.directory))
    if (entry.is_regular_file()) bytes += entry.file_size();
  std::printf("wrote %s: %zu workers, %s; start it with 'lamina deploy %s --target compose'\n",
              options.directory.c_str(), load_plan(options.directory).devices.size(),
              format_bytes(bytes).c_str(), options.directory.c_str());
}

}  // namespace

void add_bundle(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("bundle", "Pack a model, its plan and a docker-compose.yml into a directory");
  // PAPDL's name of it.
  command->alias("--generate");
  options->model.add_to(*command);
  command->add_option("-o,--output,--out", options->directory, "directory to write")->required();
  command->add_option("--plan", options->plan,
                      "plan.json to follow; without it the one beside a sliced model, or one worker");
  command->add_option("--image", options->image, "image to run")->capture_default_str();
  command->add_flag("--tar", options->tar, "put the image into the directory");
  command->add_option("--engine", options->engine, "of that image")->capture_default_str();
  command->add_flag(
      "--tls", options->tls,
      "TLS between the containers and for clients, with what 'lamina cert' makes in the directory's "
      "folder secrets");
  command->add_flag(
      "--auth", options->auth,
      "clients must show a token, as in 'deploy --auth'; they are expected in secrets/tokens, which "
      "is nobody's but the containers' and no part of the bundle");
  command->add_option("--tokens", options->tokens, "the same, and puts this file there (mode 0400)");
  command->callback([options] { bundle(*options); });
}

}  // namespace lamina::cli
