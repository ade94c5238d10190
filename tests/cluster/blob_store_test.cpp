// A worker's store against a damaged disk and against whoever wants out of it.
#include "cluster/blob_store.h"

#include "base/error.h"
#include "cluster/fake_engine.h"
#include "cluster/worker_client.h"
#include "cluster/worker_server.h"
#include "graph/serialize.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace lamina {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string put(BlobStore& store, const std::string& text) {
  const std::string hash = sha256(text);
  BlobStore::Writer writer(store, hash);
  writer.append(bytes_of(text));
  writer.finish();
  return hash;
}

template <typename Call>
ErrorCode code_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no Error";
  return ErrorCode::internal;
}

// Changes a file as a bad disk would: its size stays.
void damage(const fs::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.put('?');
}

class Store : public ::testing::Test {
 protected:
  fs::path path() const { return scratch_.path() / "store"; }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path()), fs::directory_iterator()));
  }
  TemporaryDirectory scratch_;
};

TEST_F(Store, KeepsBlobsForTheNextProcess) {
  const std::string text(10'000, 'a');
  std::string hash;
  {
    BlobStore store(path(), {});
    hash = put(store, text);
  }
  BlobStore store(path(), {});
  EXPECT_TRUE(store.has(hash));
  EXPECT_EQ(store.get(hash).size(), text.size());
  EXPECT_FALSE(store.has(sha256("another")));
}

TEST_F(Store, NamesThatAreNoHashesAreRefusedBeforeAnyFileIsTouched) {
  BlobStore store(path(), {});
  write_file(scratch_.path() / "secret", "secret");
  const std::string hash = sha256("x");
  for (const std::string& name :
       std::vector<std::string>{"", ".", "..", "../secret", "/etc/passwd", hash + "/../../secret",
                                "../" + hash, hash + "x", hash.substr(1), std::string(64, 'A'),
                                hash.substr(0, 60) + "/..", hash.substr(0, 63) + std::string(1, '\0')}) {
    EXPECT_EQ(code_of([&] { store.has(name); }), ErrorCode::invalid_argument) << name;
    EXPECT_EQ(code_of([&] { store.get(name); }), ErrorCode::invalid_argument) << name;
    EXPECT_EQ(code_of([&] { BlobStore::Writer(store, name); }), ErrorCode::invalid_argument) << name;
  }
  EXPECT_EQ(files(), 0U);
}

TEST_F(Store, LinksAreNeitherReadNorWrittenThrough) {
  const std::string text = "what stands outside";
  const std::string hash = sha256(text);
  write_file(scratch_.path() / "outside", text);
  BlobStore store(path(), {});
  fs::create_symlink(scratch_.path() / "outside", path() / hash);
  EXPECT_FALSE(store.has(hash)) << "though the bytes behind the link are right";
  EXPECT_FALSE(fs::is_symlink(path() / hash));
  fs::create_symlink(scratch_.path() / "outside", path() / hash);
  EXPECT_THROW(store.get(hash), Error);
  // Written over, it is the link that goes.
  const std::string other = sha256("new");
  fs::create_symlink(scratch_.path() / "outside", path() / other);
  put(store, "new");
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(path() / other)));
  EXPECT_EQ(read_file(scratch_.path() / "outside", 100), text);
}

TEST_F(Store, PipesAndDirectoriesInThePlaceOfBlobsAreRemoved) {
  BlobStore store(path(), {});
  const std::string pipe = sha256("pipe");
  ASSERT_EQ(::mkfifo((path() / pipe).c_str(), 0600), 0);
  EXPECT_FALSE(store.has(pipe));
  put(store, "pipe");
  const std::string directory = sha256("directory");
  fs::create_directories(path() / directory / "inner");
  EXPECT_FALSE(store.has(directory));
  put(store, "directory");
  EXPECT_TRUE(store.has(directory));
}

TEST_F(Store, ABlobDamagedSinceItCameIsRemovedAndNamed) {
  BlobStore store(path(), {});
  const std::string hash = put(store, std::string(10'000, 'a'));
  EXPECT_TRUE(store.has(hash));
  damage(path() / hash);
  EXPECT_EQ(code_of([&] { store.get(hash); }), ErrorCode::corrupt);
  EXPECT_FALSE(fs::exists(path() / hash));
  EXPECT_FALSE(store.has(hash)) << "so that it is fetched anew";
  put(store, std::string(10'000, 'a'));
  EXPECT_EQ(store.get(hash).size(), 10'000U);
}

TEST_F(Store, BytesOfAnotherHashAreNotKept) {
  BlobStore store(path(), {.bytes = 1000});
  for (int i = 0; i < 10; ++i) {
    BlobStore::Writer writer(store, sha256("good"));
    writer.append(bytes_of(std::string(900, 'b')));
    EXPECT_EQ(code_of([&] { writer.finish(); }), ErrorCode::corrupt);
  }
  EXPECT_EQ(files(), 0U);
}

TEST_F(Store, WhatProcessesThatDiedLeftIsRemovedAndForeignFilesStay) {
  const std::string hash = sha256("x");
  fs::create_directories(path());
  write_file(path() / (hash + ".aBc123"), "half");
  write_file(path() / "notes.txt", "mine");
  BlobStore store(path(), {});
  EXPECT_EQ(files(), 1U);
  EXPECT_TRUE(fs::exists(path() / "notes.txt"));
}

TEST_F(Store, TheLongestUnusedMakeRoom) {
  BlobStore store(path(), {.bytes = 3000, .keep = Clock::duration::zero()});
  const std::string first = put(store, std::string(1000, '1'));
  const std::string second = put(store, std::string(1000, '2'));
  const std::string third = put(store, std::string(1000, '3'));
  EXPECT_TRUE(store.has(first));
  const std::string fourth = put(store, std::string(1000, '4'));
  EXPECT_TRUE(store.has(first));
  EXPECT_FALSE(fs::exists(path() / second));
  EXPECT_TRUE(store.has(third));
  EXPECT_TRUE(store.has(fourth));
}

TEST_F(Store, PromisedBlobsStayAndMoreAreRefusedMidwayWithNothingLeft) {
  BlobStore store(path(), {.bytes = 3000});
  const std::string first = put(store, std::string(2000, '1'));
  const std::string text(1001, '2');
  {
    BlobStore::Writer writer(store, sha256(text));
    writer.append(bytes_of(text.substr(0, 1000)));
    EXPECT_EQ(code_of([&] { writer.append(bytes_of("2")); }), ErrorCode::resource_exhausted);
    // Two that arrive at once count together.
    EXPECT_EQ(code_of([&] { put(store, "3"); }), ErrorCode::resource_exhausted);
  }
  EXPECT_EQ(files(), 1U);
  EXPECT_TRUE(store.has(first));
  put(store, std::string(1000, '4'));
}

TEST_F(Store, BlobsOfProcessesBeforeCountAndGoFirst) {
  {
    BlobStore store(path(), {});
    put(store, std::string(2000, '1'));
  }
  BlobStore store(path(), {.bytes = 3000});
  put(store, std::string(2000, '2'));
  EXPECT_EQ(files(), 1U);
  EXPECT_TRUE(store.has(sha256(std::string(2000, '2'))));
}

TEST_F(Store, AHeadSendsAgainWhatAWorkerFoundDamaged) {
  WorkerOptions options;
  options.name = "w";
  options.store = path();
  options.loaded_engine = std::make_shared<FakeEngine>();
  const WorkerServer worker(options);
  Graph graph("one");
  const ValueId x = graph.add_input("x", {DType::f32, {kBatch, 4}});
  const ValueId weight = graph.add_weight("w", Tensor::scalar(3), Weight::Role::trainable);
  graph.begin_layer("layer", "Step");
  graph.add_output("y", graph.add("add", {x, weight}));
  const std::string hash = content_hash(graph.weights()[0].data);
  WorkerClient client(worker.address(), {});
  client.unload(client.load(graph, {hash}, {}));  // a stage that is loaded is not read again
  damage(path() / hash);
  EXPECT_NO_THROW(client.load(graph, {hash}, {}));
  EXPECT_EQ(sha256(map_file(path() / hash).bytes()), hash);
}

}  // namespace
}  // namespace lamina
