#include "deploy/bundle.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/new_directory.h"
#include "base/new_file.h"
#include "base/sha256.h"
#include "deploy/image.h"
#include "plan/plan_file.h"
#include "profile/benchmark.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace lamina {

namespace {

constexpr const char* kManifest = "manifest.json";
constexpr const char* kSecretsFolder = "secrets";
constexpr const char* kTokens = "tokens";
constexpr const char* kRevoked = "revoked.pem";
constexpr std::uint64_t kMaxTokens = 1U << 20U;
constexpr const char* kFormat = "lamina-bundle";
constexpr std::int64_t kVersion = 1;
constexpr std::uint64_t kMaxManifest = 1U << 20U;

std::string hash_of_file(const std::filesystem::path& path) { return sha256(map_file(path).bytes()); }

void write_manifest(const std::filesystem::path& directory, const std::vector<std::string>& secrets) {
  Json files = Json::object();
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && name != ".env") files[name] = hash_of_file(entry.path());
  }
  const Json manifest = {{"format", kFormat}, {"version", kVersion}, {"files", files}, {"secrets", secrets}};
  write_file(directory / kManifest, manifest.dump(1) + "\n");
}

// Where a worker ran when it was measured says nothing of where it will.
void forget_addresses(std::vector<DeviceInfo>& devices) {
  for (DeviceInfo& device : devices) device.address.clear();
}

// The folder, with an empty list of revoked certificates and with tokens where they were given.
void make_secrets(const std::filesystem::path& directory, const BundleOptions& options) {
  std::filesystem::create_directory(directory);
  std::filesystem::permissions(directory, std::filesystem::perms::owner_all);
  if (options.compose.tls) write_file(directory / kRevoked, "");
  if (options.tokens.empty()) return;
  const std::filesystem::path tokens = directory / kTokens;
  write_new_file(tokens, read_file(options.tokens, kMaxTokens), 0400);
  // Root's files are of no use to processes that are not root.
  if (::geteuid() == 0 && ::lchown(tokens.c_str(), kImageUser, kImageUser) != 0)
    fail_with_errno(errno, fmt::format("can't give '{}' to user {}", tokens.string(), kImageUser));
}

Json read_manifest(const std::filesystem::path& directory) {
  const std::string where = (directory / kManifest).string();
  Json manifest = parse_json(read_file(directory / kManifest, kMaxManifest), where);
  if (json_string(manifest, "format", where) != kFormat ||
      json_integer(manifest, "version", where) != kVersion)
    fail(ErrorCode::corrupt, "{}: expected format {} version {}", where, kFormat, kVersion);
  return manifest;
}

// Of one in a folder, not of a path that leads out of it.
bool is_file_name(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos && name != "." && name != "..";
}

// By the bits of its mode alone: containers have no capabilities.
bool may_read(const struct stat& file, unsigned user, unsigned group) {
  if (file.st_uid == user) return (file.st_mode & S_IRUSR) != 0;
  if (file.st_gid == group) return (file.st_mode & S_IRGRP) != 0;
  return (file.st_mode & S_IROTH) != 0;
}

Plan of_used_devices(Plan plan) {
  std::erase_if(plan.devices, [&](const DeviceInfo& device) { return !uses(plan, device.name); });
  forget_addresses(plan.devices);
  return plan;
}

}  // namespace

Plan plan_for_one_worker(const SlicedModel& model, const std::string& model_hash) {
  const std::string device = "worker1";
  Plan plan;
  plan.model = model.graph.name();
  plan.model_hash = model_hash;
  plan.source = device;
  plan.devices.emplace_back().name = device;
  PlannedStage& stage = plan.stages.emplace_back();
  const std::vector<Layer>& layers = model.graph.layers();
  stage.name = layers.front().name + " … " + layers.back().name;
  stage.replicas.push_back({device});
  stage.end = model.cuts.size() - 1;
  return plan;
}

void copy_into_bundle(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::copy_file(from, to);
  std::filesystem::permissions(to, static_cast<std::filesystem::perms>(0644));
}

std::string put_measurements(const std::filesystem::path& source, const std::filesystem::path& directory,
                             Plan& plan) {
  if (!std::filesystem::exists(source / "benchmark.json"))
    return fmt::format("'{}' has no benchmark.json", source.string());
  Benchmark benchmark = load_benchmark(source);
  if (benchmark.model_hash != plan.model_hash)
    return fmt::format("'{}' is of another model", (source / "benchmark.json").string());
  for (const std::string& file : plan.demands.calibration) {
    if (!std::filesystem::is_regular_file(file))
      return fmt::format("'{}', which the plan's wire formats were tried on, is not there", file);
  }
  for (std::size_t i = 0; i < plan.demands.calibration.size(); ++i) {
    const std::string name = fmt::format("calibration{}.npy", i + 1);
    copy_into_bundle(plan.demands.calibration[i], directory / name);
    plan.demands.calibration[i] = name;
  }
  forget_addresses(benchmark.devices);
  save_benchmark(directory, benchmark);
  return "";
}

void write_bundle(const std::filesystem::path& directory,
                  const std::function<Plan(const std::filesystem::path&)>& save_model,
                  const BundleOptions& options) {
  std::filesystem::path place = std::filesystem::absolute(directory).lexically_normal();
  if (!place.has_filename()) place = place.parent_path();
  std::error_code ignored;
  if (std::filesystem::exists(place) && !std::filesystem::is_empty(place, ignored))
    fail(ErrorCode::already_exists, "'{}' is there already; choose another directory", directory.string());
  NewDirectory partial(place);
  const std::filesystem::path& made = partial.path();
  const Plan plan = of_used_devices(save_model(made));
  save_plan(made, plan);
  write_file(made / "docker-compose.yml", compose_file(plan, options.compose));
  std::string parameters = "# Parameters of docker-compose.yml; an environment variable goes before.\n";
  for (const auto& [name, value] : compose_parameters(options.compose))
    parameters += name + "=" + value + "\n";
  write_file(made / ".env", parameters);
  if (options.write_image) options.write_image(made / "image.tar");
  const std::vector<std::string> secrets = compose_secrets(options.compose);
  if (!secrets.empty()) make_secrets(made / kSecretsFolder, options);
  write_manifest(made, secrets);
  partial.commit();
}

bool is_bundle(const std::filesystem::path& directory) {
  return std::filesystem::exists(directory / kManifest);
}

std::vector<std::string> secrets_of_bundle(const std::filesystem::path& directory) {
  const Json manifest = read_manifest(directory);
  const std::string where = (directory / kManifest).string();
  std::vector<std::string> names;
  for (const Json& name : json_array(manifest, "secrets", where)) {
    if (!name.is_string() || !is_file_name(name.get<std::string>()))
      fail(ErrorCode::corrupt, "{}: {} is no name of a file", where, name.dump());
    names.push_back(name.get<std::string>());
  }
  return names;
}

bool is_tls_bundle(const std::filesystem::path& directory) {
  const std::vector<std::string> secrets = secrets_of_bundle(directory);
  return std::find(secrets.begin(), secrets.end(), "authority.pem") != secrets.end();
}

void check_secrets(const std::filesystem::path& directory, const std::string& user) {
  unsigned uid = 0;
  unsigned gid = 0;
  char rest = 0;
  if (std::sscanf(user.c_str(), "%u:%u%c", &uid, &gid, &rest) != 2)
    fail(ErrorCode::invalid_argument, "LAMINA_USER is '{}', expected UID:GID", user);
  const std::filesystem::path secrets = directory / kSecretsFolder;
  for (const std::string& name : secrets_of_bundle(directory)) {
    const std::filesystem::path file = secrets / name;
    struct stat found {};
    if (::stat(file.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) {
      fail(ErrorCode::not_found, "the bundle '{}' lacks '{}': {}", directory.string(), file.string(),
           name == kTokens ? "write tokens into it, one a line, such as 'openssl rand -hex 32' prints"
                           : "'lamina cert " + secrets.string() + "' makes certificates");
    }
    if (!may_read(found, uid, gid)) {
      fail(ErrorCode::invalid_argument,
           "'{0}' can't be read by {1}, whom the containers run as: 'chown {1} {0}', or set LAMINA_USER in "
           "{2} "
           "to its owner",
           file.string(), user, (directory / ".env").string());
    }
  }
}

void check_bundle(const std::filesystem::path& directory) {
  const std::string where = (directory / kManifest).string();
  const Json manifest = read_manifest(directory);
  for (const auto& [name, hash] : json_object(manifest, "files", where).items()) {
    if (!is_file_name(name)) fail(ErrorCode::corrupt, "{}: '{}' is no name of a file", where, name);
    const std::filesystem::path file = directory / name;
    if (!std::filesystem::is_regular_file(file))
      fail(ErrorCode::corrupt, "the bundle '{}' lacks '{}'", directory.string(), name);
    if (!hash.is_string() || hash_of_file(file) != hash.get<std::string>())
      fail(ErrorCode::corrupt, "the bundle '{}' was altered: '{}' is not the file that was packed",
           directory.string(), name);
  }
}

}  // namespace lamina
