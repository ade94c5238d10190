// What wire formats cost a model in accuracy, on one input.
#pragma once

#include "engine/engine.h"
#include "engine/precision.h"
#include "graph/wire_format.h"
#include "slice/artifact.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace lamina {

// The model as its pieces, run one after another on this machine. Cuts are those before each piece and after
// the last, counted from 0. Holds the whole model and all that crosses its cuts. Not thread-safe.
class WireAccuracy {
 public:
  // Compiles every piece and runs the input.
  WireAccuracy(Engine& engine, const SlicedModel& model, std::vector<Tensor> inputs);

  struct Size {
    std::uint64_t bytes = 0;   // that travel
    std::uint64_t values = 0;  // bytes of the values that were made narrow
  };
  Size size_of(std::size_t cut, WireFormat format) const;

  // How far the answers come to be where what crosses these cuts travels in these formats.
  Difference difference_of(const std::map<std::size_t, WireFormat>& formats);

 private:
  std::vector<std::unique_ptr<Executable>> pieces_;
  std::vector<std::vector<Tensor>> crossing_;  // by cut
};

}  // namespace lamina
