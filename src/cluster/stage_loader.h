// Making what runs of a stage that a head has sent.
#pragma once

#include "cluster/blob_store.h"
#include "engine/engine.h"
#include "worker.grpc.pb.h"

#include <cstdint>
#include <memory>
#include <string>

namespace lamina {

// What a stage became on this worker.
struct LoadedStage {
  std::shared_ptr<Executable> executable;
  Signature signature;
  std::string precision;
  std::int64_t batch = 1;
  v1::LoadReply cost;
};

// One load at a time: what one takes of the memory the next has to know.
class StageLoader {
 public:
  // `threads` to compute with and `memory` that the process may use, 0: no limit. `blobs` outlives this.
  StageLoader(std::shared_ptr<Engine> engine, BlobStore& blobs, int threads, std::uint64_t memory);

  // Compiles and runs it once. Error(corrupt) for a graph that is not the one named; Error(out_of_memory)
  // before anything is compiled that can't fit; Errors of BlobStore::get() and of Engine::compile().
  std::shared_ptr<LoadedStage> load(const v1::LoadRequest& request);

 private:
  void expect_room(const Graph& graph, std::int64_t batch) const;

  const std::shared_ptr<Engine> engine_;
  BlobStore& blobs_;
  const int threads_;
  const std::uint64_t memory_;
};

}  // namespace lamina
