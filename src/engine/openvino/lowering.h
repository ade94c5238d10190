// From our Graph to OpenVINO's.
//
// Keras is channels last, OpenVINO's convolutions and pools are channels first. So each value is kept in the
// layout it was made in, ops that don't care follow their inputs, and a transpose appears only where both
// meet.
#pragma once

#include "graph/graph.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <openvino/core/model.hpp>

namespace lamina::openvino {

enum class Layout : std::uint8_t { channels_last, channels_first };

using Output = ov::Output<ov::Node>;

// Lowers one graph at one batch size. Used once, by one thread.
class Lowering {
 public:
  // A batch of 0 leaves the batch size open.
  Lowering(const Graph& graph, std::int64_t batch)
      : graph_(graph), batch_(batch), values_(graph.values().size()) {}

  // Inputs and outputs of the model stand in the order of the graph's, weights' memory is used where it lies.
  // Outputs that pass through are left out. Throws Error(unsupported) naming op and layer.
  std::shared_ptr<ov::Model> run();

  // --- for the functions that lower ops ---
  const Graph& graph() const { return graph_; }
  std::size_t rank(ValueId value) const { return graph_.type(value).shape.size(); }
  // The value in the layout asked for; made once by a transpose where needed. With fewer than 3 axes both are
  // the same.
  Output get(ValueId value, Layout layout);
  // The layout in which a value can be had for nothing.
  Layout layout_of(ValueId value) const;
  // Channels first if any flowing input of 3 or more axes is.
  Layout common_layout(const Node& node) const;
  // The value as an operand of an op whose result has `rank` axes: broadcast to it in that layout.
  Output get_operand(ValueId value, std::size_t rank, Layout layout);
  void set(ValueId value, Output output, Layout layout);
  // The second value is another name for the first.
  void alias(ValueId from, ValueId to) { values_[to] = values_[from]; }
  // The weight behind a value, if it is one.
  const Weight* weight(ValueId value) const;
  // A shape with the batch size filled in; -1 for what stays open.
  std::vector<std::int64_t> sizes(const Shape& shape) const;
  // Where an axis of the channels-last shape lies in `layout`.
  static std::size_t map_axis(std::size_t axis, std::size_t rank, Layout layout);

 private:
  struct Known {
    std::optional<Output> channels_last;
    std::optional<Output> channels_first;
  };
  Output change_layout(const Output& output, ValueId value, Layout to);

  const Graph& graph_;
  std::int64_t batch_;
  std::vector<Known> values_;
};

// Whether an output is an input that nothing computes on: the engine hands it on without OpenVINO.
bool passes_through(const Graph& graph, const Port& output);

ov::element::Type element_type(DType dtype);

// A constant over the tensor's own memory, which it keeps alive.
Output make_constant(const Tensor& tensor);

// A weight with its axes permuted, as a constant. Large ones live in a file, so that preparing them does not
// take anonymous memory a second time.
Output make_permuted_constant(const Tensor& tensor, const Shape& as, const std::vector<std::size_t>& axes);

using LowerFunction = void (*)(Lowering&, const Node&);

// The function for an op of that name, or nullptr.
LowerFunction find_lowering(std::string_view op);

// The families; each adds its ops.
struct OpLowering {
  std::string_view op;
  LowerFunction lower;
};
const std::vector<OpLowering>& elementwise_lowerings();
const std::vector<OpLowering>& linear_lowerings();
const std::vector<OpLowering>& window_lowerings();
const std::vector<OpLowering>& reduction_lowerings();
const std::vector<OpLowering>& movement_lowerings();

}  // namespace lamina::openvino
