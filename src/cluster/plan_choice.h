// Which plan is to run: after a loss the one that serves soonest, then the best one where that is clearly
// better.
#pragma once

#include "base/background.h"
#include "cluster/blueprint.h"
#include "cluster/conditions.h"

#include <functional>
#include <optional>
#include <string>

namespace lamina {

// The best plan for the machines. Its gain is against the one of the name `serving`, if any. An Error where
// none fits. It may be called while an earlier call, that nobody waits for any more, goes on in another
// thread; so may FindStopgap.
using FindPlan = std::function<Blueprint(const Conditions&, const std::string& serving)>;
// What serves soonest on the machines in place of the plan of the name `lost`, which used others too: it
// serves until a better plan is loaded beside it. Nothing where that can't be had.
using FindStopgap = std::function<std::optional<Blueprint>(const Conditions&, const std::string& lost)>;

// Remembers what it last chose for, so that nothing is planned twice. For one thread.
class PlanChoice {
 public:
  // `stopgap` may be empty.
  PlanChoice(FindPlan plan, FindStopgap stopgap);

  // A plan for these conditions was given, and serves.
  void begin_with(const Conditions& conditions);

  // What is to serve in place of `lost`, which has no stages where nothing served yet. The same where its
  // machines are all there. Throws as FindPlan does.
  Blueprint after_loss(const Conditions& now, const Blueprint& lost);

  struct Improvement {
    Blueprint blueprint;
    std::string reason;  // for people
  };
  // What is better than the plan of the name `serving`, where the conditions are others than before, or a
  // stopgap serves. On the same machines, to be better is to save kClearGain. Takes as long as planning, in
  // the background; nothing where `given_up` says so meanwhile, and it is looked for again.
  std::optional<Improvement> improve(const Conditions& now, const std::string& serving,
                                     const std::function<bool()>& given_up);
  // Whether planning that was given up still goes on: improve() waits for its end.
  bool is_planning() const { return planning_ && !planning_->is_done(); }
  // The last improvement could not be run: it is looked for again.
  void take_back();

 private:
  struct Basis {
    Conditions conditions = {};
    bool stopgap = false;  // it was chosen since it was loaded soonest
  };
  Blueprint soonest(const Conditions& now, const Blueprint& lost);

  const FindPlan plan_;
  const FindStopgap stopgap_;
  Basis basis_;                                        // of the last choice
  Basis before_;                                       // of the choice before the last improvement
  std::optional<BackgroundCall<Blueprint>> planning_;  // of the last improvement
};

}  // namespace lamina
