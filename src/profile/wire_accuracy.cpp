#include "profile/wire_accuracy.h"

#include <utility>

namespace lamina {

WireAccuracy::WireAccuracy(Engine& engine, const SlicedModel& model, std::vector<Tensor> inputs) {
  const std::int64_t batch = check_inputs(signature_of(model.graph), inputs);
  crossing_.push_back(std::move(inputs));
  for (std::size_t piece = 0; piece + 1 < model.boundaries.size(); ++piece) {
    const Graph graph =
        extract_stage(model.graph, model.cuts, model.boundaries[piece], model.boundaries[piece + 1]);
    pieces_.push_back(engine.compile(graph, {.batch = batch}));
    crossing_.push_back(pieces_.back()->run(crossing_.back()));
  }
}

WireAccuracy::Size WireAccuracy::size_of(std::size_t cut, WireFormat format) const {
  Size size;
  for (const Tensor& tensor : crossing_.at(cut)) {
    const WireTensor narrowed = narrow(tensor, format);
    size.bytes += narrowed.bytes.size();
    if (narrowed.format != WireFormat::f32) size.values += tensor.data().size();
  }
  return size;
}

Difference WireAccuracy::difference_of(const std::map<std::size_t, WireFormat>& formats) {
  if (formats.empty()) return {};
  const auto pass = [&](std::size_t cut, std::vector<Tensor> tensors) {
    const auto format = formats.find(cut);
    return format == formats.end() ? tensors : widen(narrow(tensors, format->second));
  };
  const std::size_t first = formats.begin()->first;
  std::vector<Tensor> tensors = pass(first, crossing_.at(first));
  for (std::size_t piece = first; piece < pieces_.size(); ++piece)
    tensors = pass(piece + 1, pieces_[piece]->run(tensors));
  return compare_outputs(tensors, crossing_.back());
}

}  // namespace lamina
