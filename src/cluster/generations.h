// The generations of a pipeline that recovers, one after another: the one that serves, and one that is tried
// out to take its place.
#pragma once

#include "cluster/answer_port.h"
#include "cluster/blueprint.h"
#include "cluster/dispatcher.h"
#include "cluster/generation.h"
#include "cluster/machines.h"
#include "cluster/recovery_history.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lamina {

// Why a plan does not serve.
struct Refusal {
  Error error;
  std::vector<std::string> workers;  // of the stages that failed; none where the plan was given up
};

// One that is tried out is given up as soon as nobody would wait for it any more: a machine that it needs is
// gone, or what serves is lost, and what is loaded already serves sooner.
//
// What is said to be for the planning thread is for one thread alone; all else is thread-safe.
class Generations {
 public:
  // All that is referred to outlives this. `changed` is called from threads of generations, without a lock,
  // when what serves has lost something or a machine has become slow. Error(unavailable) when the address for
  // answers can't be listened on.
  Generations(HeadOptions head, Machines& machines, Dispatcher& dispatcher, RecoveryHistory& history,
              std::function<void()> changed);

  // For the planning thread. A machine of a plan that never answered is Error(unavailable).

  // Runs the first. Throws the first Error met.
  void start(const Blueprint& first);
  // Runs another where none serves: all else that its workers have is over. Nothing where it serves.
  std::optional<Refusal> replace(const Blueprint& next);
  // Loads another beside the one that serves, which then finishes its own requests. Where there is no room
  // beside it, it ends first. Nothing where the other serves.
  std::optional<Refusal> follow(const Blueprint& next);
  // Ends the one that serves; its requests stay with the dispatcher. Nothing where none served, else the
  // machine that it lost, empty where that is not known.
  std::optional<std::string> retire();
  // Frees what these machines have of generations that are over.
  void tidy(const std::set<std::string>& machines);

  bool serves() const;
  // Whether it has lost something.
  bool is_broken() const;
  // Of the one that serves, or that served last; without stages where none did.
  const Blueprint& blueprint() const { return blueprint_; }

  // For all threads.

  // The generation of this pipeline has lost something, perhaps the worker, which may be empty.
  void note_loss(std::uint64_t pipeline, const std::string& worker, const Error& error);
  // Machines may have gone.
  void note_machines();
  // Why none serves, until one does.
  void set_trouble(const std::string& trouble);
  // Gives up what is tried out, now and later.
  void stop();
  // Fills in the plan and its stages.
  void describe(PipelineStatus& status) const;

 private:
  // What stages are loaded beside.
  enum class Room : std::uint8_t {
    beside,  // those that serve
    make,    // nothing: all else is over
  };

  std::shared_ptr<Generation> make(Blueprint blueprint, std::chrono::milliseconds answer_limit);
  std::optional<Refusal> try_out(const Blueprint& blueprint, Room room,
                                 std::chrono::milliseconds answer_limit);
  void start_beside(Generation& generation);
  void take_over(const Blueprint& blueprint, std::uint64_t pipeline);
  void serve(std::shared_ptr<Generation> generation);
  bool end_serving();
  void note_run(std::uint64_t pipeline, const std::string& worker, double seconds, double expected);

  const HeadOptions head_;
  Machines& machines_;
  Dispatcher& dispatcher_;
  RecoveryHistory& history_;
  const std::function<void()> changed_;
  AnswerPort answers_;
  std::uint64_t next_pipeline_;

  mutable std::mutex mutex_;
  // All below is guarded by mutex_; blueprint_ is written by the planning thread alone.
  std::uint64_t serving_ = 0;  // pipeline of the generation that serves; 0: none
  Blueprint blueprint_;
  bool broken_ = false;  // it has lost something
  std::string suspect_;  // the machine that it lost
  std::string trouble_;
  std::shared_ptr<Generation> candidate_;  // that is tried out
  std::set<std::string> candidate_machines_;
  bool stopping_ = false;
};

}  // namespace lamina
