#include "cluster/keeper.h"

#include "base/error.h"
#include "base/file.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr std::chrono::seconds kStart{10};

TEST(FileKeeper, GivesFilesToTheByte) {
  const TemporaryDirectory here;
  const TemporaryDirectory there;
  std::string large(5'000'001, 'x');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * i >> 7U);
  write_file(here.path() / "large", large);
  write_file(here.path() / "empty", "");
  const FileKeeper keeper(here.path(), {"large", "empty", "absent"}, "127.0.0.1:0", {});
  EXPECT_TRUE(fetch_file(keeper.address(), {}, "large", there.path(), kStart));
  EXPECT_TRUE(fetch_file(keeper.address(), {}, "empty", there.path(), kStart));
  EXPECT_EQ(read_file(there.path() / "large", large.size()), large);
  EXPECT_EQ(read_file(there.path() / "empty", 1), "");
  EXPECT_FALSE(fetch_file(keeper.address(), {}, "absent", there.path(), kStart));
  EXPECT_FALSE(std::filesystem::exists(there.path() / "absent"));
}

TEST(FileKeeper, GivesNothingElse) {
  const TemporaryDirectory here;
  const TemporaryDirectory there;
  write_file(here.path() / "secret", "s");
  std::filesystem::create_symlink(here.path() / "secret", here.path() / "link");
  const FileKeeper keeper(here.path(), {"link"}, "127.0.0.1:0", {});
  EXPECT_FALSE(fetch_file(keeper.address(), {}, "secret", there.path(), kStart));
  EXPECT_THROW(fetch_file(keeper.address(), {}, "link", there.path(), kStart), Error);
  EXPECT_TRUE(std::filesystem::is_empty(there.path()));
}

TEST(FileKeeper, ThatIsNotThereIsUnavailable) {
  const TemporaryDirectory there;
  try {
    fetch_file("127.0.0.1:1", {}, "large", there.path(), std::chrono::milliseconds(300));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
  }
}

}  // namespace
}  // namespace lamina
