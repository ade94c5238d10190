#include "base/file.h"

#include "base/error.h"

#include <array>
#include <csignal>
#include <cstring>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lamina {
namespace {

std::size_t entries_in(const std::filesystem::path& directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++count;
  return count;
}

TEST(File, AnAtomicFileAppearsOnlyOnCommit) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "out.txt";
  {
    AtomicFile file(path);
    file.write("hello");
    EXPECT_FALSE(std::filesystem::exists(path));
    file.commit();
  }
  EXPECT_EQ(read_file(path, 100), "hello");
  EXPECT_EQ(entries_in(directory.path()), 1U);
}

TEST(File, AnAbandonedAtomicFileLeavesTheOldOneAndNothingElse) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "out.txt";
  write_file(path, "old");
  {
    AtomicFile file(path);
    file.write("new and unfinished");
  }
  EXPECT_EQ(read_file(path, 100), "old");
  EXPECT_EQ(entries_in(directory.path()), 1U);
}

// A disk that is full looks to a writer like a limit on the size of files: write() fails midway.
TEST(File, AFullDiskIsAnErrorAndLeavesNothingBehind) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "out.bin";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int status = 1;
    try {
      write_file(path, std::string(100000, 'x'));
    } catch (const Error& error) {
      const bool names_file = std::string(error.what()).find("out.bin") != std::string::npos;
      status = error.code() == ErrorCode::io && names_file ? 0 : 2;
    }
    ::_exit(status);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(entries_in(directory.path()), 0U);
}

TEST(File, ReadingIsBounded) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "long.txt";
  write_file(path, std::string(11, 'x'));
  EXPECT_EQ(read_file(path, 11).size(), 11U);
  EXPECT_THROW(read_file(path, 10), Error);
}

TEST(File, WhatIsNotARegularFileIsNamed) {
  const TemporaryDirectory directory;
  try {
    map_file(directory.path() / "absent");
    FAIL() << "a file that is absent was mapped";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_NE(std::string(error.what()).find("absent"), std::string::npos);
  }
  EXPECT_THROW(map_file(directory.path()), Error);
  EXPECT_THROW(map_file("/dev/zero"), Error);
}

TEST(File, MappedAndSpilledBytesSurviveReleasingTheirPages) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "data.bin";
  std::string text(100000, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7);
  write_file(path, text);
  const Buffer mapped = map_file(path);
  const Buffer spilled = spill_to_disk(mapped.bytes());
  const Buffer heap = Buffer::copy(mapped.bytes());
  for (const Buffer& buffer : {mapped, spilled, heap}) {
    release_pages(buffer);
    ASSERT_EQ(buffer.size(), text.size());
    EXPECT_EQ(std::memcmp(buffer.data(), text.data(), text.size()), 0);
  }
}

TEST(File, TemporaryDirectoriesVanishWithTheirContents) {
  std::filesystem::path path;
  {
    const TemporaryDirectory directory;
    path = directory.path();
    write_file(path / "x", "y");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace lamina
