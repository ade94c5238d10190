#include "cluster/stage_loader.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"
#include "cluster/process_memory.h"
#include "engine/precision.h"
#include "graph/liveness.h"
#include "graph/serialize.h"
#include "profile/measure.h"

#include <algorithm>
#include <utility>

namespace lamina {

namespace {

constexpr int kMaxGraphBytes = 256 << 20;
// What compiling takes for a while beside weights and activations: kernels, copies of small weights.
constexpr std::uint64_t kCompileBytes = 32U << 20U;

}  // namespace

StageLoader::StageLoader(std::shared_ptr<Engine> engine, BlobStore& blobs, int threads, std::uint64_t memory)
    : engine_(std::move(engine)), blobs_(blobs), threads_(threads), memory_(memory) {}

std::shared_ptr<LoadedStage> StageLoader::load(const v1::LoadRequest& request) {
  const Clock::time_point begin = Clock::now();
  return_freed_memory();
  const std::uint64_t charged = charged_memory();
  if (request.graph().size() > kMaxGraphBytes || sha256(request.graph()) != request.stage())
    fail(ErrorCode::corrupt, "stage {} arrived damaged", request.stage());
  const std::int64_t batch = std::max<std::int64_t>(request.batch(), 1);
  auto stage = std::make_shared<LoadedStage>();
  stage->precision = request.precision();
  stage->batch = request.batch();
  {
    const Graph graph = graph_from_json(
        parse_json(request.graph(), "stage " + request.stage()),
        [this](const std::string& hash) { return blobs_.get(hash); }, "stage " + request.stage());
    stage->signature = signature_of(graph);
    CompileOptions compile;
    compile.threads = threads_;
    compile.precision = precision_from_string(request.precision());
    compile.batch = batch;
    compile.concurrency = std::max(request.concurrency(), 1);
    expect_room(graph, batch);
    stage->executable = engine_->compile(graph, compile);
  }
  // The first run allocates what a run needs; better here than under the first request.
  const PieceTime once = measure_runs(*stage->executable, random_inputs(stage->signature, batch, 1),
                                      {.warm_up = 0, .repeats = 1});
  // What the process came to need beside activations, kernels and scratch included, where that is more
  // than the weights.
  const std::uint64_t grown = charged_memory();
  const std::uint64_t kept =
      grown > charged + once.activation_bytes ? grown - charged - once.activation_bytes : 0;
  stage->cost.set_weight_bytes(std::max(once.weight_bytes, kept));
  stage->cost.set_activation_bytes(once.activation_bytes);
  stage->cost.set_seconds(seconds_since(begin));
  return stage;
}

// Engines end the process where the system refuses them memory midway, so what can't fit is refused before.
void StageLoader::expect_room(const Graph& graph, std::int64_t batch) const {
  std::uint64_t needed = kCompileBytes + peak_activation_bytes(graph, batch);
  for (const Weight& weight : graph.weights()) needed += weight.data.data().size();
  const std::uint64_t free = free_memory(memory_);
  if (needed <= free) return;
  fail(ErrorCode::out_of_memory, "'{}' needs about {}, {} of {} are free", graph.name(), format_bytes(needed),
       format_bytes(free), format_bytes(memory_));
}

}  // namespace lamina
