#include "deploy/bundle.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "deploy/container_record.h"
#include "plan/plan_file.h"
#include "profile/benchmark.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

namespace lamina {
namespace {

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

Plan plan_for(const std::vector<std::string>& devices) {
  Plan plan;
  plan.model = "small";
  plan.model_hash = std::string(64, 'a');
  for (const std::string& name : devices) {
    PlannedStage& stage = plan.stages.emplace_back();
    stage.name = name;
    stage.replicas.push_back({name});
    stage.begin = plan.devices.size();
    stage.end = stage.begin + 1;
    plan.devices.emplace_back().name = name;
  }
  return plan;
}

class Bundles : public testing::Test {
 protected:
  std::filesystem::path path() const { return directory_.path() / "parcel"; }
  void write(const BundleOptions& options = {}) const {
    write_bundle(
        path(),
        [](const std::filesystem::path& place) {
          write_file(place / "model.json", "a model");
          write_file(place / "weights.safetensors", "its weights");
          Plan plan = plan_for({"pi", "desk"});
          plan.devices.emplace_back().name = "unused";
          plan.devices.front().address = "10.0.0.7:7070";
          return plan;
        },
        options);
  }
  TemporaryDirectory directory_;
};

TEST_F(Bundles, HoldUsedDevicesWithoutTheirAddresses) {
  write();
  check_bundle(path());
  const Plan plan = load_plan(path());
  ASSERT_EQ(plan.devices.size(), 2U);
  EXPECT_EQ(plan.devices[0].address, "");
  // Others than the owner read it: containers run as another user.
  EXPECT_EQ(std::filesystem::status(path()).permissions(), static_cast<std::filesystem::perms>(0755));
}

Benchmark benchmark_of(const Plan& plan) {
  const std::size_t count = plan.devices.size();
  Benchmark benchmark;
  benchmark.model = plan.model;
  benchmark.model_hash = plan.model_hash;
  benchmark.engine = "fake 1";
  benchmark.devices = plan.devices;
  benchmark.pieces = {{"all", 0, 1, 100}};
  benchmark.cut_bytes = {100, 50};
  benchmark.wake.resize(count);
  benchmark.fusion.resize(count, 1);
  benchmark.steady_fusion.resize(count, 1);
  benchmark.measurements.resize(count, {{PieceTime{0.1, 0.1, 0.1, 10, 100, 0.1}, ""}});
  benchmark.links.resize(count, std::vector<Link>(count, {1e-5, 1e-5, 1e-5, 1e9}));
  benchmark.messages.resize(count);
  benchmark.formats.resize(count);
  return benchmark;
}

TEST_F(Bundles, CarryWhatIsNeededToPlanAnew) {
  const std::filesystem::path source = directory_.path() / "cut";
  std::filesystem::create_directory(source);
  write_file(source / "probe.npy", "an input");
  Plan plan = plan_for({"pi", "desk"});
  plan.devices.front().address = "10.0.0.7:7070";
  plan.demands.calibration = {(source / "probe.npy").string()};
  save_benchmark(source, benchmark_of(plan));
  write_bundle(path(),
               [&](const std::filesystem::path& place) {
                 EXPECT_EQ(put_measurements(source, place, plan), "");
                 return plan;
               },
               {});
  check_bundle(path());
  const Benchmark carried = load_benchmark(path());
  EXPECT_EQ(carried.devices.at(0).name, "pi");
  EXPECT_EQ(carried.devices.at(0).address, "");
  EXPECT_EQ(load_plan(path()).demands.calibration, std::vector<std::string>{"calibration1.npy"});
  EXPECT_EQ(read_file(path() / "calibration1.npy", 100), "an input");
  write_file(path() / "benchmark.json", "{}");
  EXPECT_NE(message_of([&] { check_bundle(path()); }).find("'benchmark.json' is not the file"),
            std::string::npos);
}

TEST_F(Bundles, CarryNoMeasurementsThatAreOfNoUse) {
  const std::filesystem::path source = directory_.path() / "cut";
  const std::filesystem::path place = directory_.path() / "place";
  std::filesystem::create_directory(source);
  std::filesystem::create_directory(place);
  Plan plan = plan_for({"pi"});
  EXPECT_NE(put_measurements(source, place, plan).find("has no benchmark.json"), std::string::npos);
  save_benchmark(source, benchmark_of(plan));
  plan.demands.calibration = {"/nowhere/probe.npy"};
  EXPECT_NE(put_measurements(source, place, plan).find("'/nowhere/probe.npy'"), std::string::npos);
  plan.demands.calibration.clear();
  plan.model_hash = std::string(64, 'b');
  EXPECT_NE(put_measurements(source, place, plan).find("is of another model"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(place));
}

TEST_F(Bundles, NameTheFileThatWasAlteredOrIsMissing) {
  write();
  write_file(path() / ".env", "LAMINA_PORT=1");
  check_bundle(path());
  write_file(path() / "model.json", "another model");
  EXPECT_NE(message_of([&] { check_bundle(path()); }).find("'model.json' is not the file"),
            std::string::npos);
  std::filesystem::remove(path() / "model.json");
  EXPECT_NE(message_of([&] { check_bundle(path()); }).find("lacks 'model.json'"), std::string::npos);
}

TEST_F(Bundles, LookAtNoFileOutside) {
  write();
  const std::string outside = directory_.path() / "outside";
  write_file(outside, "x");
  for (const char* name : {"../outside", "/etc/passwd", "..", ""}) {
    const Json manifest = {{"format", "lamina-bundle"}, {"version", 1}, {"files", {{name, sha256("x")}}}};
    write_file(path() / "manifest.json", manifest.dump());
    EXPECT_NE(message_of([&] { check_bundle(path()); }).find("is no name of a file"), std::string::npos)
        << name;
  }
  for (const char* text : {"", "[]", "{}", R"({"format":"lamina-bundle","version":2,"files":{}})",
                           R"({"format":"lamina-bundle","version":1,"files":[]})"}) {
    write_file(path() / "manifest.json", text);
    EXPECT_THROW(check_bundle(path()), Error) << text;
  }
}

TEST_F(Bundles, NameTheSecretsThatTheyLackOrCanNotShow) {
  BundleOptions options;
  options.compose.tls = true;
  options.compose.auth = true;
  write(options);
  EXPECT_TRUE(is_tls_bundle(path()));
  const std::string user = fmt::format("{}:{}", ::geteuid(), ::getegid());
  const auto said = [&](const std::string& who) { return message_of([&] { check_secrets(path(), who); }); };
  EXPECT_EQ(std::filesystem::status(path() / "secrets").permissions(), std::filesystem::perms::owner_all);
  // Nobody has to write a list of revoked certificates before there are any.
  for (const std::string& name : secrets_of_bundle(path())) {
    if (name == "revoked.pem") continue;
    EXPECT_NE(said(user).find("secrets/" + name), std::string::npos) << said(user);
    EXPECT_NE(said(user).find(name == "tokens" ? "openssl rand" : "lamina cert"), std::string::npos);
    write_file(path() / "secrets" / name, "x");
    std::filesystem::permissions(path() / "secrets" / name, std::filesystem::perms::owner_read);
  }
  EXPECT_EQ(said(user), "no error");
  EXPECT_NE(said("4000000:4000000").find("can't be read by 4000000:4000000"), std::string::npos);
  for (const char* wrong : {"", "root", "1", "1:2:3", "1:2 "}) {
    EXPECT_NE(said(wrong).find("LAMINA_USER"), std::string::npos) << wrong;
  }
}

TEST_F(Bundles, HaveTokensForTheirOwnEyesOnly) {
  BundleOptions options;
  options.compose.auth = true;
  options.tokens = directory_.path() / "tokens";
  write_file(options.tokens, "correct-horse-battery-staple\n");
  write(options);
  const std::filesystem::path tokens = path() / "secrets" / "tokens";
  EXPECT_EQ(read_file(tokens, 100), "correct-horse-battery-staple\n");
  EXPECT_EQ(std::filesystem::status(tokens).permissions(), std::filesystem::perms::owner_read);
  EXPECT_FALSE(is_tls_bundle(path()));
  for (const auto& entry : std::filesystem::directory_iterator(path())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(read_file(entry.path(), 100'000).find("battery-staple"), std::string::npos) << entry.path();
  }
  // They may be others tomorrow, and the bundle the same.
  std::filesystem::remove(tokens);
  check_bundle(path());
}

TEST_F(Bundles, AreWholeOrNotThere) {
  BundleOptions options;
  options.write_image = [](const std::filesystem::path&) { fail(ErrorCode::io, "the disk is full"); };
  EXPECT_EQ(message_of([&] { write(options); }), "the disk is full");
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
  write_file(path(), "something");
  EXPECT_THROW(write(), Error);
  EXPECT_EQ(read_file(path(), 100), "something");
}

TEST(ComposeFile, RefusesNamesThatNoServiceCanHave) {
  for (const char* name : {"head", "", "a b", "-x", "$HOME", "a\"b", "a/b", "a.b\n"}) {
    EXPECT_THROW(compose_file(plan_for({name}), {"lamina:1", "farm"}), Error) << name;
  }
  EXPECT_NO_THROW(compose_file(plan_for({"vm4", "Raspberry-Pi_2"}), {"lamina:1", "farm"}));
}

TEST(ComposeFile, HasTheLimitsOfTheDevices) {
  Plan plan = plan_for({"pi", "desk", "free"});
  plan.devices[0].cpus = 0.6;
  plan.devices[0].memory = 1U << 30U;
  plan.devices[1].threads = 4;
  const std::string file = compose_file(plan, {"lamina:1", "farm"});
  EXPECT_NE(file.find("cpus: 0.6\n    mem_limit: 1073741824\n"), std::string::npos);
  EXPECT_NE(file.find("cpus: 4\n    volumes:"), std::string::npos);
  EXPECT_NE(file.find("\"0\", \"--insecure\"]\n    volumes:"), std::string::npos) << file;
}

TEST(ComposeFile, ShowsEachProcessItsOwnSecretsAlone) {
  ComposeFileOptions options{"lamina:1", "farm"};
  options.tls = true;
  options.auth = true;
  const std::string file = compose_file(plan_for({"pi"}), options);
  const std::string head = file.substr(file.find("  head:\n"), file.find("  pi:\n") - file.find("  head:\n"));
  const std::string worker = file.substr(file.find("  pi:\n"));
  EXPECT_NE(head.find(R"("--auth", "/secrets/tokens"])"), std::string::npos) << head;
  EXPECT_NE(head.find("source: ./secrets/tokens, target: /secrets/tokens, read_only: true"),
            std::string::npos);
  EXPECT_EQ(head.find("worker.key"), std::string::npos);
  EXPECT_EQ(worker.find("tokens"), std::string::npos);
  EXPECT_EQ(worker.find("head.key"), std::string::npos);
  EXPECT_EQ(file.find("client"), std::string::npos);
  EXPECT_EQ(file.find("authority.key"), std::string::npos);
}

TEST(ComposeFile, MakesNamesOfProjects) {
  EXPECT_EQ(project_name("My Model"), "my_model");
  EXPECT_EQ(project_name("--vgg16.keras"), "vgg16_keras");
  EXPECT_EQ(project_name("…"), "lamina");
}

TEST(ContainerRecord, ComesBackAsItWas) {
  const TemporaryDirectory state;
  ::setenv("XDG_STATE_HOME", state.path().c_str(), 1);
  save_record(ContainerRecord{"farm", "compose", "/parcel", "unix:///docker.sock", {"lamina:1"}, 8123});
  const std::vector<ContainerRecord> found = list_container_records();
  ::unsetenv("XDG_STATE_HOME");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].name, "farm");
  EXPECT_EQ(found[0].target, "compose");
  EXPECT_EQ(found[0].directory, "/parcel");
  EXPECT_EQ(found[0].docker_host, "unix:///docker.sock");
  EXPECT_EQ(found[0].loaded_images, std::vector<std::string>{"lamina:1"});
  EXPECT_EQ(found[0].port, 8123);
}

}  // namespace
}  // namespace lamina
