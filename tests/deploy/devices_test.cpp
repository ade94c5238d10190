#include "deploy/devices.h"

#include "base/error.h"
#include "support/mutate.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr const char* kMixed = R"([[device]]
name = "vm4"
threads = 1
memory = "512MiB"

[[device]]
name = "rack-7.lab"
address = "10.0.0.7:7070"
)";

void expect_refused(const std::string& text, const std::string& named) {
  try {
    parse_devices(text, "devices.toml");
    FAIL() << "accepted: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    const std::string what = error.what();
    EXPECT_NE(what.find("devices.toml"), std::string::npos) << what;
    EXPECT_NE(what.find(named), std::string::npos) << what << "\n  does not name " << named;
  }
}

std::string local(const std::string& name, const std::string& threads, const std::string& memory) {
  return "[[device]]\nname = " + name + "\nthreads = " + threads + "\nmemory = " + memory + "\n";
}

TEST(Devices, LocalAndRemoteOnesMayStandSideBySide) {
  const std::vector<DeviceInfo> devices = parse_devices(kMixed, "devices.toml");
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[0].name, "vm4");
  EXPECT_EQ(devices[0].threads, 1);
  EXPECT_EQ(devices[0].memory, std::uint64_t{512} << 20U);
  EXPECT_EQ(devices[0].address, "");
  EXPECT_EQ(devices[1].name, "rack-7.lab");
  EXPECT_EQ(devices[1].address, "10.0.0.7:7070");
}

TEST(Devices, AShareOfProcessorsSaysHowManyThreadsWhereNoneAreNamed) {
  const auto read = [](const std::string& keys) {
    return parse_devices("[[device]]\nname = \"a\"\nmemory = \"64MiB\"\n" + keys, "devices.toml").front();
  };
  EXPECT_EQ(read("cpus = 0.6\n").cpus, 0.6);
  EXPECT_EQ(read("cpus = 0.6\n").threads, 1);
  EXPECT_EQ(read("cpus = 1\n").threads, 1);
  EXPECT_EQ(read("cpus = 0.5\nthreads = 2\n").threads, 2);
  EXPECT_EQ(read("threads = 2\n").cpus, 0);
  for (const char* cpus : {"0", "-1", "0.001", "99999", "nan", "inf", "\"1\"", "true"})
    expect_refused(local("\"a\"", "1", "\"1GiB\"") + "cpus = " + cpus + "\n", "cpus must be a number from");
  EXPECT_EQ(
      parse_devices("[[device]]\nname = \"a\"\naddress = \"h:1\"\ncpus = 1.5\n", "devices.toml")[0].cpus,
      1.5);
}

TEST(Devices, MistakesAreNamedWithTheirLine) {
  expect_refused("", "no device");
  expect_refused("[[device]\n", "line 1");
  expect_refused("[[machine]]\nname = \"a\"\n", "machine");
  expect_refused("device = 3\n", "no device");
  expect_refused(local("\"\"", "1", "\"1GiB\""), "name");
  expect_refused(local("\"a b\"", "1", "\"1GiB\""), "a b");
  expect_refused(local("7", "1", "\"1GiB\""), "name");
  expect_refused(local("\"a\"", "0", "\"1GiB\""), "threads");
  expect_refused(local("\"a\"", "\"two\"", "\"1GiB\""), "threads");
  expect_refused(local("\"a\"", "99999999999999999", "\"1GiB\""), "threads");
  expect_refused(local("\"a\"", "1", "\"a lot\""), "memory");
  expect_refused(local("\"a\"", "1", "\"1MiB\""), "32.0 MiB");
  expect_refused("[[device]]\nname = \"a\"\n", "either threads and memory or an address");
  expect_refused(local("\"a\"", "1", "\"1GiB\"") + "address = \"h:1\"\n", "either");
  expect_refused(local("\"a\"", "1", "\"1GiB\"") + "color = \"red\"\n", "color");
  expect_refused(local("\"a\"", "1", "\"1GiB\"") + local("\"a\"", "1", "\"1GiB\""), "line 5");
}

TEST(Devices, DamagedFilesAreReadOrRefused) {
  Random random(1);
  for (int i = 0; i < 3000; ++i) {
    const std::string text = mutate(kMixed, random);
    try {
      for (const DeviceInfo& device : parse_devices(text, "devices.toml")) EXPECT_FALSE(device.name.empty());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << text;
    }
  }
}

TEST(Devices, DefaultOnesAreUnequalAndSmallerThanTheMachine) {
  const std::vector<DeviceInfo> devices = default_devices(3);
  ASSERT_EQ(devices.size(), 3U);
  EXPECT_LT(devices[0].memory, devices[2].memory);
  EXPECT_GE(devices[0].threads, 1);
  EXPECT_THROW(default_devices(0), Error);
}

}  // namespace
}  // namespace lamina
