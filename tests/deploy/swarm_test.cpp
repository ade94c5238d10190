#include "base/error.h"
#include "base/file.h"
#include "deploy/registry_access.h"
#include "deploy/swarm_nodes.h"
#include "deploy/swarm_removal.h"

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <crypt.h>
#include <gtest/gtest.h>

namespace lamina {
namespace {

Json node(const std::string& id, const std::string& host) {
  return {{"ID", id},
          {"Description",
           {{"Hostname", host}, {"Resources", {{"NanoCPUs", 2'000'000'000}, {"MemoryBytes", 1'000'000}}}}},
          {"Status", {{"State", "ready"}, {"Addr", "10.0.0.1"}}},
          {"Spec", {{"Availability", "active"}}}};
}

std::map<std::string, std::string> names_by_id(const std::vector<Json>& nodes) {
  std::map<std::string, std::string> names;
  for (const SwarmNode& one : read_nodes(nodes)) names[one.id] = one.name;
  return names;
}

TEST(SwarmNodes, AreNamedByTheirHosts) {
  EXPECT_EQ(names_by_id({node("1a", "vm4"), node("2b", "vm5")}),
            (std::map<std::string, std::string>{{"1a", "vm4"}, {"2b", "vm5"}}));
}

TEST(SwarmNodes, ThatShareANameGoByTheirIds) {
  EXPECT_EQ(names_by_id({node("1a", "vm4"), node("2b", "vm4"), node("3c", "a.b"), node("4d", "a-b"),
                         node("5e", "PC5"), node("6f", "pc5")}),
            (std::map<std::string, std::string>{
                {"1a", "1a"}, {"2b", "2b"}, {"3c", "3c"}, {"4d", "4d"}, {"5e", "5e"}, {"6f", "6f"}}));
}

TEST(SwarmNodes, NamedAsProcessesOfOursGoByTheirIds) {
  EXPECT_EQ(
      names_by_id({node("1a", "head"), node("2b", "lamina-head"), node("3c", "registry"), node("4d", "vm4")}),
      (std::map<std::string, std::string>{{"1a", "1a"}, {"2b", "2b"}, {"3c", "3c"}, {"4d", "vm4"}}));
}

// A program `docker` that says what a test wants to hear; DIR/calls holds a line for each volume rm.
class Removal : public testing::Test {
 protected:
  void answer(const std::string& volume_removal) {
    write_file(directory_.path() / "docker",
               "#!/bin/sh\ncase \"$1 $2\" in\n'volume ls') echo left ;;\n'volume rm')\n"
               "echo >>'" +
                   directory_.path().string() + "/calls'\n" + volume_removal + " ;;\nesac\n");
    std::filesystem::permissions(directory_.path() / "docker", std::filesystem::perms::owner_all);
    ::setenv("PATH", (directory_.path().string() + ":" + path_).c_str(), 1);
  }
  void TearDown() override { ::setenv("PATH", path_.c_str(), 1); }
  std::size_t calls() const { return read_file(directory_.path() / "calls", 1000).size(); }

  TemporaryDirectory directory_;
  std::string path_ = std::getenv("PATH");
};

TEST_F(Removal, TriesAgainWhileAContainerHasTheVolume) {
  answer("[ $(wc -l <'" + directory_.path().string() +
         "/calls') -lt 3 ] && { echo 'remove left: volume is in use - [1f]' >&2; exit 1; }; exit 0");
  remove_from_swarm(Docker(), "farm");
  EXPECT_EQ(calls(), 3);
}

TEST_F(Removal, GivesUpAtOnceOnAnyOtherError) {
  answer("echo 'remove left: permission denied' >&2; exit 1");
  EXPECT_THROW(remove_from_swarm(Docker(), "farm"), Error);
  EXPECT_EQ(calls(), 1);
}

TEST(RegistryAccess, HashesAsBcryptAndKeepsWhatDockerWasConfiguredWith) {
  const TemporaryDirectory home;
  const TemporaryDirectory configured;
  write_file(home.path() / "config.json",
             R"({"auths": {"other.lan": {"auth": "eA=="}}, "credsStore": "pass", "currentContext": "far"})");
  std::filesystem::create_directory(home.path() / "contexts");
  write_file(home.path() / "contexts" / "one", "far");
  ::setenv("DOCKER_CONFIG", home.path().c_str(), 1);
  const Docker docker = log_in(Docker("tcp://h"), configured.path(), "10.0.0.1:5000", "lamina", "pass word");
  ::unsetenv("DOCKER_CONFIG");
  EXPECT_EQ(docker.environment().at("DOCKER_CONFIG"), configured.path());
  EXPECT_EQ(docker.environment().at("DOCKER_HOST"), "tcp://h");
  EXPECT_EQ(read_file(configured.path() / "contexts" / "one", 10), "far");
  const Json json = parse_json(read_file(configured.path() / "config.json", 1000), "config");
  EXPECT_EQ(json.at("auths").at("10.0.0.1:5000").at("auth"), "bGFtaW5hOnBhc3Mgd29yZA==");
  EXPECT_EQ(json.at("auths").at("other.lan").at("auth"), "eA==");
  EXPECT_EQ(json.at("currentContext"), "far");
  EXPECT_FALSE(json.contains("credsStore"));
  EXPECT_EQ(random_password().size(), 48);
  EXPECT_NE(random_password(), random_password());
  const std::string line = htpasswd_line("lamina", "pass word");
  ASSERT_TRUE(line.starts_with("lamina:$2y$05$")) << line;
  crypt_data scratch{};
  const std::string hash = line.substr(7, line.size() - 8);
  EXPECT_EQ(hash, ::crypt_r("pass word", hash.c_str(), &scratch));
}

}  // namespace
}  // namespace lamina
