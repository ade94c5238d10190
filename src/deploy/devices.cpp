#include "deploy/devices.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>

#define TOML_EXCEPTIONS 1
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "cluster/process_memory.h"
#include "deploy/local_worker.h"

#include <sys/sysinfo.h>
#include <toml++/toml.h>

namespace lamina {

namespace {

constexpr std::uint64_t kMaxDevicesFile = 1U << 20U;
// What a worker takes before it holds any stage, under a limit that counts only what is in memory.
constexpr std::uint64_t kLeastMemory = 32U << 20U;
// The kernel gives a share at least 1 ms in a period of at most 1 s; a hundredth leaves room.
constexpr double kLeastCpus = 0.01;
constexpr std::int64_t kMostThreads = 4096;
constexpr std::size_t kMostDevices = 1024;

class DeviceReader {
 public:
  DeviceReader(const toml::table& table, std::string where) : table_(table), where_(std::move(where)) {}

  DeviceInfo read() {
    expect_known_keys();
    DeviceInfo device;
    device.name = text("name");
    if (device.name.empty() || device.name.find_first_of(" :,{}/\"'") != std::string::npos) {
      broken(fmt::format("name is '{}', expected letters, digits, '-', '_' and '.'", device.name));
    }
    device.address = text("address");
    const bool local = device.address.empty();
    const bool sized = table_.contains("threads") || (local && table_.contains("cpus"));
    if (local != sized || (!local && table_.contains("memory"))) {
      broken(fmt::format("device '{}' needs either threads and memory or an address", device.name));
    }
    device.cpus = share(local);
    if (!local) return device;
    device.threads = threads(static_cast<int>(std::ceil(device.cpus)));
    device.memory = parse_bytes(text("memory"), where_ + ": memory");
    if (device.memory < kLeastMemory) {
      broken(fmt::format("memory is {}, expected at least {}", format_bytes(device.memory),
                         format_bytes(kLeastMemory)));
    }
    return device;
  }

 private:
  [[noreturn]] void broken(const std::string& what) const {
    fail(ErrorCode::invalid_argument, "{}: {}", where_, what);
  }

  void expect_known_keys() const {
    static const std::set<std::string_view> kKnown = {"name", "address", "threads", "cpus", "memory"};
    for (const auto& [key, value] : table_) {
      if (!kKnown.contains(key.str())) {
        broken(fmt::format("unknown key '{}', expected name, threads, cpus, memory or address", key.str()));
      }
    }
  }

  // 0 where there is none.
  double share(bool local) const {
    if (!table_.contains("cpus")) return 0;
    const auto cpus = table_["cpus"].value<double>();
    const auto most = static_cast<double>(local ? std::max(1, ::get_nprocs()) : kMostThreads);
    if (!cpus || !(*cpus >= kLeastCpus && *cpus <= most))
      broken(fmt::format("cpus must be a number from {} to {}, the CPUs there are", kLeastCpus, most));
    return *cpus;
  }

  int threads(int otherwise) const {
    if (!table_.contains("threads")) return otherwise;
    const auto threads = table_["threads"].value<std::int64_t>();
    if (!threads || *threads < 1 || *threads > kMostThreads) broken("threads must be a number from 1");
    return static_cast<int>(*threads);
  }

  std::string text(std::string_view key) const {
    if (!table_.contains(key)) return "";
    const auto value = table_[key].value_exact<std::string>();
    if (!value) broken(fmt::format("'{}' must be a text in quotes", key));
    return *value;
  }

  const toml::table& table_;
  std::string where_;
};

}  // namespace

std::vector<DeviceInfo> parse_devices(std::string_view text, const std::string& where) {
  toml::table document;
  try {
    document = toml::parse(text);
  } catch (const toml::parse_error& error) {
    fail(ErrorCode::invalid_argument, "{}, line {}: {}", where, error.source().begin.line,
         error.description());
  }
  for (const auto& [key, value] : document) {
    if (key.str() != "device")
      fail(ErrorCode::invalid_argument, "{}: unknown key '{}', expected [[device]]", where, key.str());
  }
  const toml::array* entries = document["device"].as_array();
  if (entries == nullptr || entries->empty()) {
    fail(ErrorCode::invalid_argument, "{}: no device, expected at least one [[device]]", where);
  }
  if (entries->size() > kMostDevices) {
    fail(ErrorCode::invalid_argument, "{}: {} devices, expected at most {}", where, entries->size(),
         kMostDevices);
  }
  std::vector<DeviceInfo> devices;
  for (const toml::node& entry : *entries) {
    const std::string place = fmt::format("{}, line {}", where, entry.source().begin.line);
    const toml::table* table = entry.as_table();
    if (table == nullptr) fail(ErrorCode::invalid_argument, "{}: expected [[device]]", place);
    devices.push_back(DeviceReader(*table, place).read());
    const auto same = std::count_if(devices.begin(), devices.end(), [&](const DeviceInfo& device) {
      return device.name == devices.back().name;
    });
    if (same > 1)
      fail(ErrorCode::invalid_argument, "{}: the name '{}' stands twice", place, devices.back().name);
  }
  return devices;
}

std::vector<DeviceInfo> load_devices(const std::filesystem::path& path) {
  return parse_devices(read_file(path, kMaxDevicesFile), path.string());
}

std::vector<DeviceInfo> default_devices(int count) {
  if (count < 1 || count > static_cast<int>(kMostDevices)) {
    fail(ErrorCode::invalid_argument, "{} workers, expected 1 to {}", count, kMostDevices);
  }
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  // A quarter stays for the head and everything else.
  const std::uint64_t memory = free_memory(0) / 4 * 3;
  const auto shares = static_cast<std::uint64_t>(count) * static_cast<std::uint64_t>(count + 1) / 2;
  std::vector<DeviceInfo> devices;
  for (int i = 0; i < count; ++i) {
    DeviceInfo device;
    device.name = fmt::format("worker{}", i + 1);
    device.threads = std::max(1, cores * (i + 1) / count);
    device.memory = std::max(kLeastReservedMemory, memory / shares * static_cast<std::uint64_t>(i + 1));
    devices.push_back(device);
  }
  return devices;
}

}  // namespace lamina
