// What runs a Graph. An engine is a shared object (liblamina_<name>.so) that is loaded when asked for.
#pragma once

#include "graph/graph.h"
#include "graph/tensor.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lamina {

enum class Precision : std::uint8_t { f32, bf16 };

std::string_view to_string(Precision precision);

struct CompileOptions {
  int threads = 0;  // 0: as many as this process may use
  Precision precision = Precision::f32;
  // The batch size that is expected most; any other runs too, more slowly the first time.
  std::int64_t batch = 1;
  // Runs that may be under way at once; more wait for their turn.
  int concurrency = 1;
};

struct MemoryUse {
  std::uint64_t weights = 0;      // bytes the engine keeps for weights, repacked
  std::uint64_t activations = 0;  // bytes of intermediate results of one run at the expected batch size
};

// A graph ready to run. All members are thread-safe.
class Executable {
 public:
  virtual ~Executable() = default;

  // `inputs` in the order of graph.inputs(), of the graph's dtypes, all with one batch size; outputs in the
  // order of graph.outputs(). Wrong number, dtype or shape: Error(invalid_argument) naming the input, what
  // came and what was expected. Error(out_of_memory) when memory ends; the Executable stays usable.
  virtual std::vector<Tensor> run(std::span<const Tensor> inputs) = 0;

  virtual MemoryUse memory() const = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string name() const = 0;
  virtual std::string version() const = 0;
  // Whether this machine's processor computes in that precision natively.
  virtual bool supports(Precision precision) const = 0;
  // Reads the graph's weights where they lie and repacks them; afterwards neither graph nor weights are
  // needed, and mapped weights have been let go of. Throws Error(unsupported) naming op and layer.
  virtual std::unique_ptr<Executable> compile(const Graph& graph, const CompileOptions& options) = 0;
};

// Loads liblamina_<name>.so from beside the program, ../lib/lamina, or $LAMINA_ENGINE_PATH. The engine stays
// loaded until the program ends. Error(not_found) names the places searched; Error(unsupported) for another
// ABI.
std::shared_ptr<Engine> load_engine(const std::string& name);

// The ends of a graph without the graph: what an Executable keeps to check its inputs.
struct Signature {
  struct End {
    std::string name;
    TensorType type;
  };
  std::vector<End> inputs;
  std::vector<End> outputs;
};
Signature signature_of(const Graph& graph);

// Checks `inputs` as Executable::run promises and returns their batch size (1 where no input has a batch).
std::int64_t check_inputs(const Signature& signature, std::span<const Tensor> inputs);

}  // namespace lamina
