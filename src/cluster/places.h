// The places of a generation: what their workers are asked for, and how each is.
#pragma once

#include "cluster/place.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace lamina {

// Thread-safe, save that one thread at a time loads, connects, unloads or tidies.
class Places {
 public:
  // Error(invalid_argument) for a stage without a worker. `stages` outlives it.
  Places(const std::vector<HeadStage>& stages, HeadOptions options, std::uint64_t pipeline);

  std::size_t size() const { return places_.size(); }
  const HeadReplica& replica(std::size_t index) const { return places_[index].plan; }
  std::size_t stage(std::size_t index) const { return places_[index].stage; }

  // Loads every stage, on all workers at once. Throws the first Error met.
  void load();
  // From the last place to the first, so that no frame meets a place that isn't there yet.
  void connect(const Routes& routes, const std::string& head_address);
  // All that were connected are ready, as soon as the head is connected to them too.
  void set_ready();
  // Takes the stages from the workers again, as far as they answer.
  void unload();
  // Ends on the workers the places of other pipelines, and stages that are not these.
  void keep_only(const std::vector<std::uint64_t>& pipelines);
  // Tells workers of a request nobody waits for; one that can't be told computes in vain.
  void cancel(std::uint64_t request);
  // Calls to workers fail from now on.
  void abandon();

  // Asks the worker how the place is. An Error where it is lost by that.
  std::optional<Error> check(std::size_t index);
  // It is not ready, for this reason. Returns the Error with the worker's name.
  Error note_failure(std::size_t index, const Error& error);
  void note_run(std::size_t index, double seconds);

  bool all_ready() const;
  // Why the first is not; empty where none has said.
  std::string trouble() const;
  // Of each place, in the order of the stages.
  std::vector<StageStatus> status() const;

 private:
  std::map<std::string, std::vector<std::size_t>> by_address() const;
  void load(std::size_t index);
  void connect(std::size_t index, const Routes& routes, const std::string& head_address);

  const std::vector<HeadStage>& stages_;
  const HeadOptions options_;
  const std::uint64_t pipeline_;
  mutable std::mutex mutex_;
  std::vector<Place> places_;  // guarded by mutex_, save what is there from the start: stage, plan and client
};

}  // namespace lamina
