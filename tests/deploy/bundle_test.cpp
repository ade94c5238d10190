#include "deploy/bundle.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "deploy/container_record.h"
#include "plan/plan_file.h"

#include <functional>

#include <gtest/gtest.h>

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
