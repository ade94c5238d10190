#include "cluster/routes.h"

#include "base/error.h"

#include <algorithm>
#include <map>
#include <utility>

namespace lamina {

namespace {

// All outputs of the stage before, in their order.
std::vector<TensorSource> from_before(std::size_t stage, std::size_t count) {
  std::vector<TensorSource> sources(count);
  for (std::size_t i = 0; i < count; ++i) sources[i] = {stage == 0 ? TensorSource::kRequest : stage - 1, i};
  return sources;
}

class RouteFinder {
 public:
  RouteFinder(std::span<const RoutedStage> stages, std::size_t inputs) : stages_(stages), inputs_(inputs) {
    routes_.of_stage.resize(stages.size());
    routes_.parts.resize(stages.size() + 1);
  }

  void receive(std::size_t receiver, const std::string& name, std::size_t count,
               const std::vector<TensorSource>& sources) {
    if (sources.size() != count) {
      fail(ErrorCode::invalid_argument, "{} takes {} tensors, {} come", name, count, sources.size());
    }
    std::map<std::size_t, std::size_t> part_of;  // by sender
    for (std::size_t input = 0; input < sources.size(); ++input) {
      const TensorSource& source = sources[input];
      expect_known(source, receiver, name);
      std::vector<Route>& sent =
          source.stage == TensorSource::kRequest ? routes_.of_request : routes_.of_stage[source.stage];
      Parts& parts = routes_.parts[receiver];
      const auto [found, fresh] = part_of.emplace(source.stage, parts.size());
      if (fresh) {
        sent.push_back({receiver, parts.size(), {}});
        parts.emplace_back();
      }
      sent.back().outputs.push_back(source.number);
      parts[found->second].push_back(input);
    }
  }

  Routes take() { return std::move(routes_); }

 private:
  void expect_known(const TensorSource& source, std::size_t receiver, const std::string& name) const {
    if (source.stage == TensorSource::kRequest) {
      if (source.number >= inputs_)
        fail(ErrorCode::invalid_argument, "{} takes input {} of requests, which have {}", name, source.number,
             inputs_);
      return;
    }
    if (source.stage >= receiver) {
      fail(ErrorCode::invalid_argument, "{} takes a tensor of stage {}, which is not before it", name,
           source.stage + 1);
    }
    const RoutedStage& sender = stages_[source.stage];
    if (source.number >= sender.outputs) {
      fail(ErrorCode::invalid_argument, "{} takes output {} of stage '{}', which has {}", name, source.number,
           sender.name, sender.outputs);
    }
  }

  std::span<const RoutedStage> stages_;
  std::size_t inputs_;
  Routes routes_;
};

}  // namespace

Routes find_routes(std::span<const RoutedStage> stages, std::size_t inputs, std::size_t answers,
                   const std::vector<TensorSource>& sources) {
  RouteFinder finder(stages, inputs);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const RoutedStage& stage = stages[i];
    finder.receive(i, "stage '" + stage.name + "'", stage.inputs,
                   stage.sources.empty() ? from_before(i, stage.inputs) : stage.sources);
  }
  finder.receive(stages.size(), "the answer", answers,
                 sources.empty() ? from_before(stages.size(), answers) : sources);
  Routes routes = finder.take();
  if (std::any_of(routes.of_request.begin(), routes.of_request.end(),
                  [&](const Route& route) { return route.to == stages.size(); })) {
    fail(ErrorCode::unsupported, "an answer is an input of the request, expected it to pass through a stage");
  }
  for (std::size_t i = 0; i < stages.size(); ++i) {
    if (routes.parts[i].empty())
      fail(ErrorCode::invalid_argument, "nothing comes to stage '{}'", stages[i].name);
    if (routes.of_stage[i].empty())
      fail(ErrorCode::invalid_argument, "nothing goes on from stage '{}'", stages[i].name);
    if (routes.parts[i].size() > 1 && stages[i].replicas > 1) {
      fail(ErrorCode::unsupported,
           "stage '{}' gets tensors from {} others and has {} replicas, expected one: the senders would have "
           "to "
           "agree on the one that gets a request",
           stages[i].name, routes.parts[i].size(), stages[i].replicas);
    }
  }
  return routes;
}

}  // namespace lamina
