#include "deploy/oci.h"

#include "base/error.h"
#include "base/file.h"
#include "deploy/command.h"
#include "deploy/gzip.h"
#include "deploy/tar.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

std::string listing_of(const std::filesystem::path& tar) {
  const CommandResult result = run_command({"tar", "--utc", "-tvf", tar.string()});
  EXPECT_EQ(result.status, 0) << result.errors;
  return result.output;
}

TEST(TarWriter, IsReadByTar) {
  const TemporaryDirectory directory;
  std::string bytes;
  TarWriter tar([&](std::span<const std::byte> part) {
    bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
  });
  const std::string text(513, 'x');
  tar.add_folder("store", {0700, 65532});
  tar.add_file("store/empty", {}, {0644, 0});
  tar.add_file("store/text", std::as_bytes(std::span(text)), {0755, 0});
  tar.finish();
  write_file(directory.path() / "a.tar", bytes);
  EXPECT_EQ(listing_of(directory.path() / "a.tar"),
            "drwx------ 65532/65532       0 1970-01-01 00:00 store/\n"
            "-rw-r--r-- 0/0               0 1970-01-01 00:00 store/empty\n"
            "-rwxr-xr-x 0/0             513 1970-01-01 00:00 store/text\n");
  EXPECT_EQ(run_command({"tar", "-xOf", (directory.path() / "a.tar").string(), "store/text"}).output, text);
}

TEST(TarWriter, RefusesWhatDoesNotFit) {
  TarWriter tar([](std::span<const std::byte>) {});
  EXPECT_NO_THROW(tar.add_file(std::string(100, 'a'), {}, {}));
  EXPECT_THROW(tar.add_file(std::string(101, 'a'), {}, {}), Error);
}

TEST(GzipWriter, IsReadByGzip) {
  const TemporaryDirectory directory;
  std::string text;
  for (int i = 0; i < 400'000; ++i) text += std::to_string(i * i % 977);
  std::string packed;
  GzipWriter gzip(3, [&](std::span<const std::byte> part) {
    packed.append(reinterpret_cast<const char*>(part.data()), part.size());
  });
  gzip.write(std::as_bytes(std::span(text).first(10)));
  gzip.write(std::as_bytes(std::span(text).subspan(10)));
  gzip.finish();
  EXPECT_LT(packed.size(), text.size());
  write_file(directory.path() / "a.gz", packed);
  EXPECT_EQ(run_command({"gzip", "-dc", (directory.path() / "a.gz").string()}).output, text);
}

ImageDescription small_image() {
  ImageDescription image;
  image.name = "small:1";
  image.architecture = "amd64";
  image.config = {{"Entrypoint", Json::array({"/bin/hello"})}};
  image.layers.resize(1);
  image.layers[0].files = {{.path = "bin/hello", .source = {}, .text = "hello", .mode = 0755},
                           {.path = "a/b/c", .source = {}, .text = "deep"}};
  return image;
}

TEST(Image, ComesOutTheSameEachTime) {
  const TemporaryDirectory directory;
  const WrittenImage first = write_image(directory.path() / "1.tar", small_image());
  const WrittenImage second = write_image(directory.path() / "2.tar", small_image());
  EXPECT_EQ(first.id, second.id);
  EXPECT_EQ(first.files, 2U);
  EXPECT_EQ(first.unpacked_bytes, 9U);
  EXPECT_EQ(read_file(directory.path() / "1.tar", 1U << 20U),
            read_file(directory.path() / "2.tar", 1U << 20U));
}

// A full disk, as far as a program can tell.
TEST(Image, LeavesNothingWhenItCanNotBeWritten) {
  const TemporaryDirectory directory;
  ImageDescription image = small_image();
  image.layers[0].files.push_back({.path = "absent", .source = directory.path() / "absent"});
  EXPECT_THROW(write_image(directory.path() / "image.tar", image), Error);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(Command, GivesOutputErrorsAndStatus) {
  const CommandResult result =
      run_command({"sh", "-c", "echo out; echo $COLOUR >&2; exit 7"}, {.environment = {{"COLOUR", "blue"}}});
  EXPECT_EQ(result.status, 7);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "blue\n");
  EXPECT_EQ(run_command({"sh", "-c", "kill -9 $$"}).status, 128 + 9);
  EXPECT_EQ(run_command({"pwd"}, {.directory = "/usr"}).output, "/usr\n");
}

TEST(Command, EndsWhatTakesTooLong) {
  try {
    run_command({"sleep", "100"}, {.limit = std::chrono::milliseconds(50)});
    FAIL() << "it waited";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::deadline_exceeded);
  }
}

TEST(Command, NamesAProgramThatIsNotThere) {
  try {
    run_command({"no-such-program"});
    FAIL() << "it ran";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_STREQ(error.what(), "there is no program 'no-such-program' on PATH");
  }
}

}  // namespace
}  // namespace lamina
