#include "slice/artifact.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "graph/safetensors.h"
#include "graph/serialize.h"
#include "support/mutate.h"
#include "support/python.h"
#include "support/random_graph.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lamina {
namespace {

namespace fs = std::filesystem;

// Two layers with weights, of which two are the same bytes.
Graph two_layers(float value, std::size_t width = 100) {
  const std::vector<float> values(width * width, value);
  const auto size = static_cast<std::int64_t>(width);
  Graph graph("two");
  ValueId x = graph.add_input("x", {DType::f32, {kBatch, size}});
  for (const char* name : {"first", "second"}) {
    graph.begin_layer(name, "Dense");
    x = graph.add("matmul", {x, graph.add_weight(std::string(name) + "/kernel",
                                                 Tensor::of({size, size}, values), Weight::Role::trainable)});
    x = graph.add("add", {x, graph.add_weight(std::string(name) + "/bias",
                                              Tensor::of({size}, std::span(values).first(width)),
                                              Weight::Role::trainable)});
  }
  graph.add_output("y", x);
  return graph;
}

// Every file below a directory with its bytes, hidden and temporary ones too.
std::map<std::string, std::string> contents_of(const fs::path& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    files[entry.path().string()] = entry.is_regular_file() ? read_file(entry.path(), 1U << 30U) : "";
  }
  return files;
}

std::string complaint(const std::function<void()>& action, ErrorCode expected) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(to_string(error.code()), to_string(expected)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "went through";
  return "";
}

class Artifact : public testing::Test {
 protected:
  TemporaryDirectory temporary_;
  fs::path place_ = temporary_.path() / "model";
};

TEST_F(Artifact, WhatIsSavedIsLoaded) {
  const SlicedModel model = slice_model(two_layers(0.5F));
  save_sliced_model(place_, model);
  const SlicedModel back = load_sliced_model(place_);
  EXPECT_EQ(back.hashes, model.hashes);
  EXPECT_EQ(back.boundaries, model.boundaries);
  EXPECT_EQ(to_json(back.graph, back.hashes), to_json(model.graph, model.hashes));
  for (std::size_t i = 0; i < model.hashes.size(); ++i) {
    EXPECT_EQ(content_hash(back.graph.weights()[i].data), model.hashes[i]);
  }
  ASSERT_EQ(back.cuts.size(), model.cuts.size());
  for (std::size_t i = 0; i < model.cuts.size(); ++i) {
    EXPECT_EQ(back.cuts[i].bytes_per_item, model.cuts[i].bytes_per_item);
  }
  EXPECT_EQ(contents_of(temporary_.path()).size(), 3U) << "the directory and two files, nothing else";
}

TEST_F(Artifact, RandomGraphsComputeTheSameAfterwards) {
  Random random(1);
  for (int i = 0; i < 20; ++i) {
    const SlicedModel model = slice_model(random_graph(random));
    save_sliced_model(place_, model);
    const SlicedModel back = load_sliced_model(place_);
    NamedValues inputs;
    for (const Port& port : model.graph.inputs()) inputs[port.name] = {0.5F, -1, 2};
    ASSERT_EQ(interpret(back.graph, inputs), interpret(model.graph, inputs));
    // Whoever extracts a stage, from the model in memory or from the one on disk, gets the same.
    for (std::size_t end = 1; end < model.cuts.size(); ++end) {
      ASSERT_EQ(dump(extract_stage(back.graph, back.cuts, end - 1, end)),
                dump(extract_stage(model.graph, model.cuts, end - 1, end)));
    }
  }
}

TEST_F(Artifact, EqualWeightsAreStoredOnceUnderTheirHash) {
  save_sliced_model(place_, slice_model(two_layers(0.5F)));
  EXPECT_EQ(load_safetensors(place_ / "weights.safetensors").size(), 2U);
  const std::string seen = run_python(R"(
import sys, hashlib
from safetensors.numpy import load_file
for name, array in load_file(sys.argv[1]).items():
    print(hashlib.sha256(array.tobytes()).hexdigest() == name)
)",
                                      {(place_ / "weights.safetensors").string()});
  EXPECT_EQ(seen, "True\nTrue\n");
}

TEST_F(Artifact, ASlicedModelIsReplacedWithAllThatBelongsToIt) {
  save_sliced_model(place_, slice_model(two_layers(0.5F)));
  write_file(place_ / "benchmark.json", "{}");
  write_file(place_ / "plan.json", "{}");
  const SlicedModel old = load_sliced_model(place_);
  const SlicedModel model = slice_model(two_layers(2.0F));
  save_sliced_model(fs::path(place_.string() + "/"), model);
  EXPECT_EQ(load_sliced_model(place_).hashes, model.hashes);
  EXPECT_FALSE(fs::exists(place_ / "benchmark.json")) << "measured for the old model";
  EXPECT_EQ(contents_of(temporary_.path()).size(), 3U);
  EXPECT_EQ(old.graph.weights()[0].data.to_floats()[0], 0.5F) << "what is mapped outlives its file";
  struct stat status {};
  ASSERT_EQ(::stat(place_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0755U);
}

TEST_F(Artifact, AnEmptyDirectoryAndALinkToOneAreUsed) {
  fs::create_directory(place_);
  const fs::path link = temporary_.path() / "link";
  fs::create_directory_symlink(place_, link);
  save_sliced_model(link, slice_model(two_layers(0.5F)));
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(load_sliced_model(place_).hashes.size(), 4U);
}

TEST_F(Artifact, WhatIsNotASlicedModelIsNeverReplaced) {
  const SlicedModel model = slice_model(two_layers(0.5F));
  const auto save = [&] { save_sliced_model(place_, model); };

  write_file(place_, "a file");
  EXPECT_NE(complaint(save, ErrorCode::already_exists).find("is a file"), std::string::npos);
  fs::remove(place_);

  fs::create_directory(place_);
  write_file(place_ / "thesis.tex", "years of work");
  EXPECT_NE(complaint(save, ErrorCode::already_exists).find("'thesis.tex'"), std::string::npos);
  fs::remove(place_ / "thesis.tex");

  // Others call their files model.json, too.
  write_file(place_ / "model.json", R"({"format":"layers-model"})");
  complaint(save, ErrorCode::already_exists);
  EXPECT_EQ(contents_of(temporary_.path()).size(), 2U);
  EXPECT_EQ(read_file(place_ / "model.json", 1000), R"({"format":"layers-model"})");

  EXPECT_NE(
      complaint([&] { save_sliced_model(temporary_.path() / "no" / "such", model); }, ErrorCode::not_found)
          .find("such"),
      std::string::npos);
}

// Saves in a process whose files may have only `limit` bytes: the same as a disk that is full from there on.
// Whether the save failed as it should, with an Error of the system's.
bool save_fails_on_full_disk(const fs::path& place, const SlicedModel& model, rlim_t limit) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limits{limit, limit};
    ::setrlimit(RLIMIT_FSIZE, &limits);
    int status = 1;
    try {
      save_sliced_model(place, model);
    } catch (const Error& error) {
      status = error.code() == ErrorCode::io || error.code() == ErrorCode::resource_exhausted ? 0 : 2;
    }
    ::_exit(status);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(Artifact, AFullDiskLeavesWhatWasThere) {
  const SlicedModel model = slice_model(two_layers(2.0F));
  const rlim_t weights = sizeof(float) * 100 * 100;
  // Full at once, within the header, within the weights; the last is after them only where model.json is
  // larger.
  for (const rlim_t limit : {rlim_t{0}, rlim_t{100}, weights}) {
    EXPECT_TRUE(save_fails_on_full_disk(place_, model, limit)) << limit;
    EXPECT_TRUE(fs::is_empty(temporary_.path())) << limit;
  }
  save_sliced_model(place_, slice_model(two_layers(0.5F)));
  write_file(place_ / "plan.json", "{}");
  const auto before = contents_of(temporary_.path());
  for (const rlim_t limit : {rlim_t{0}, rlim_t{100}, weights}) {
    EXPECT_TRUE(save_fails_on_full_disk(place_, model, limit)) << limit;
    EXPECT_EQ(contents_of(temporary_.path()), before) << limit;
  }
}

TEST_F(Artifact, ADiskThatIsFullAfterTheWeightsLeavesNothing) {
  // Many layers and no weights to speak of: model.json is the larger file, written last.
  Graph graph("long");
  ValueId x = graph.add_input("x", {DType::f32, {kBatch, 1}});
  for (int i = 0; i < 200; ++i) {
    graph.begin_layer(fmt::format("layer{}", i), "Activation");
    x = graph.add("relu", {x});
  }
  graph.add_output("y", x);
  EXPECT_TRUE(save_fails_on_full_disk(place_, slice_model(std::move(graph)), 4096));
  EXPECT_TRUE(fs::is_empty(temporary_.path()));
}

TEST_F(Artifact, WhatIsMissingOrDamagedIsNamed) {
  const auto load = [&] { load_sliced_model(place_); };
  EXPECT_NE(complaint(load, ErrorCode::not_found).find("is no sliced model"), std::string::npos);

  save_sliced_model(place_, slice_model(two_layers(0.5F)));
  const std::string text = read_file(place_ / "model.json", 1U << 20U);
  const Json valid = parse_json(text, "model.json");

  for (const char* boundaries :
       {"[]", "[0]", "[0, 1]", "[1, 2]", "[0, 0, 2]", "[0, 1, 2, 3]", "[0, -1, 2]", "[0, \"1\", 2]", "7"}) {
    Json json = valid;
    json["boundaries"] = Json::parse(boundaries);
    write_file(place_ / "model.json", json.dump());
    EXPECT_NE(complaint(load, ErrorCode::corrupt).find("boundar"), std::string::npos) << boundaries;
  }
  Json newer = valid;
  newer["version"] = 2;
  write_file(place_ / "model.json", newer.dump());
  EXPECT_NE(complaint(load, ErrorCode::corrupt).find("version 2"), std::string::npos);
  write_file(place_ / "model.json", text);

  save_safetensors(place_ / "weights.safetensors", {});
  EXPECT_NE(complaint(load, ErrorCode::corrupt).find("is not in weights.safetensors"), std::string::npos);
  fs::remove(place_ / "weights.safetensors");
  EXPECT_NE(complaint(load, ErrorCode::not_found).find("weights.safetensors"), std::string::npos);
}

TEST_F(Artifact, DamagedFilesNeverDoWorseThanAnError) {
  save_sliced_model(place_, slice_model(two_layers(0.5F, 4)));
  Random random(2);
  for (const char* name : {"model.json", "weights.safetensors"}) {
    const std::string valid = read_file(place_ / name, 1U << 20U);
    for (int i = 0; i < 1500; ++i) {
      // A new file, not flushed: to write one durably takes a hundred times as long.
      fs::remove(place_ / name);
      std::FILE* file = std::fopen((place_ / name).c_str(), "wb");
      ASSERT_NE(file, nullptr);
      const std::string damaged = mutate(valid, random);
      std::fwrite(damaged.data(), 1, damaged.size(), file);
      std::fclose(file);
      try {
        const SlicedModel model = load_sliced_model(place_);
        for (std::size_t piece = 0; piece + 1 < model.boundaries.size(); ++piece) {
          verify(
              extract_stage(model.graph, model.cuts, model.boundaries[piece], model.boundaries[piece + 1]));
          ASSERT_FALSE(piece_name(model, piece).empty());
        }
      } catch (const Error&) {
      }
    }
    write_file(place_ / name, valid);
  }
}

TEST_F(Artifact, PiecesAreNamedByTheirLayers) {
  Graph graph = two_layers(0.5F, 3);
  graph.begin_layer("act", "Activation");
  graph.add_output("z", graph.add("relu", {graph.outputs()[0].value}));
  const SlicedModel model = slice_model(std::move(graph));
  ASSERT_EQ(model.boundaries, (std::vector<std::size_t>{0, 1, 2, 3}));
  EXPECT_EQ(piece_name(model, 0), "first");
  SlicedModel merged = model;
  merged.boundaries = {0, 3};
  EXPECT_EQ(piece_name(merged, 0), "first … act");
}

TEST_F(Artifact, AModelWithoutLayersCannotBeCut) {
  Graph graph("nothing");
  graph.add_output("y", graph.add_input("x", {DType::f32, {kBatch, 1}}));
  EXPECT_NE(complaint([&] { slice_model(graph); }, ErrorCode::invalid_argument).find("no layers"),
            std::string::npos);
}

}  // namespace
}  // namespace lamina
