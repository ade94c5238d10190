// Workers as processes of this machine: what they get from the process that starts them.
#include "deploy/local_worker.h"

#include "base/descriptor.h"
#include "deploy/real_workers.h"

#include <chrono>
#include <filesystem>
#include <set>
#include <string>

#include <fcntl.h>

namespace lamina {
namespace {

using StartedWorker = RealWorkers;

std::set<std::string> files_of(pid_t pid) {
  std::set<std::string> files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
    files.insert(std::filesystem::read_symlink(entry.path(), ignored).string());
  return files;
}

// The libraries that a head uses open connections without O_CLOEXEC.
TEST_F(StartedWorker, HasNoneOfTheFilesThatItsHeadHasOpen) {
  const std::filesystem::path path = directory_.path() / "of the head";
  const Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT, 0600));
  ASSERT_GE(file.get(), 0);
  LocalWorker worker({.device = device("one"),
                      .directory = directory_.path() / "one",
                      .program = options_.program,
                      .tls = {}});
  worker.wait_until_ready(std::chrono::seconds(60));
  EXPECT_TRUE(files_of(::getpid()).contains(path.string()));
  EXPECT_FALSE(files_of(worker.pid()).contains(path.string()));
}

}  // namespace
}  // namespace lamina
