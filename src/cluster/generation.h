// One plan as it runs on workers: its stages loaded and connected, requests sent through them, its workers
// watched. When a worker is lost the generation is over; what comes after it is its owner's to say.
#pragma once

#include "cluster/answer_port.h"
#include "cluster/head_plan.h"
#include "cluster/orchestrator.h"
#include "cluster/request_table.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lamina {

// What a generation tells its owner, from threads of its own. None may destroy the generation.
struct GenerationEvents {
  // An answer or an error, of a request that may have been answered before.
  std::function<void(std::uint64_t request, Prediction)> answered = {};
  // Whether somebody still waits for the request.
  std::function<bool(std::uint64_t request)> wanted = {};
  // A worker took so many seconds for its stage of a request, and was to take others.
  std::function<void(const std::string& worker, double seconds, double expected)> ran = {};
  // What is under way may never be answered. May come more than once.
  std::function<void(const std::string& worker, const Error&)> lost = {};
};

// Thread-safe.
class Generation {
 public:
  // Frames that are not of `pipeline` are none of its own. Throws as find_routes() does. `answers` outlives
  // it.
  Generation(const Signature& signature, std::vector<HeadStage> stages, HeadOptions options,
             std::uint64_t pipeline, AnswerPort& answers, GenerationEvents events);
  ~Generation();
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  std::uint64_t pipeline() const;

  // Loads every stage, on all workers at once, connects them, and starts to watch. Throws the first Error
  // met, naming worker and stage; stages() tells of all.
  void start();
  // Connects the stages again unless all are ready.
  void connect();
  // Takes the stages from the workers again, as far as they answer.
  void unload();
  // Calls to workers fail from now on, those under way too: whoever waits in start() is let go.
  void abandon();

  // False where too many wait to be sent.
  bool send(Request request);
  // Nobody waits for the request any more.
  void cancel(std::uint64_t request);
  // The same for one that failed on its way: parts of it may wait in workers.
  void drop(std::uint64_t request);

  bool ready() const;
  // Why it is not.
  std::string trouble() const;
  // A status for each place, in the order of the stages.
  std::vector<StageStatus> stages() const;
  // Asks every place now.
  void check();
  // Ends on its workers the places of all generations, and all stages that this one does not need: before it
  // is loaded where there is no room beside them.
  void make_room();
  // Once it serves, ends there all that is not its own.
  void keep_only_this();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lamina
