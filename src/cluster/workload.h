// What a worker has taken on: the stages that are loaded, and the slots that run them.
#pragma once

#include "cluster/slot.h"
#include "cluster/stage_loader.h"
#include "worker.grpc.pb.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lamina {

// Thread-safe. Slots that end here are closed.
class Workload {
 public:
  void add(const std::string& name, std::shared_ptr<LoadedStage> stage);
  // Error(not_found) where it is not loaded.
  std::shared_ptr<LoadedStage> stage(const std::string& name) const;
  // What the request would load; nothing where that is not loaded yet.
  std::shared_ptr<LoadedStage> find(const v1::LoadRequest& request) const;

  // Ends the one of the same number, and those of other heads: this one's takes the worker over.
  // Error(unavailable) after close().
  void add(std::shared_ptr<Slot> slot);
  // Nothing where there is none.
  std::shared_ptr<Slot> slot(std::uint64_t pipeline, std::uint32_t number) const;
  bool has_slots() const;
  // Nobody waits for the request any more.
  void cancel(std::uint64_t pipeline, std::uint64_t request);

  // Ends the stage and its slots.
  void unload(const std::string& stage);
  // Ends all other stages, and the slots of all other pipelines.
  void keep_only(const std::set<std::uint64_t>& pipelines, const std::set<std::string>& stages);
  // Ends all slots, and takes no more. Stages stay.
  void close();

 private:
  using IsSlot = std::function<bool(const Slot&)>;
  // Takes slots out and closes them. Called with the lock; what is returned has to outlive it, since slots
  // wait for their threads when they are destroyed.
  std::vector<std::shared_ptr<Slot>> take_out(const IsSlot& is_meant);
  void end(const IsSlot& is_slot, const std::function<bool(const std::string& stage)>& is_stage);

  mutable std::mutex mutex_;
  // All below is guarded by mutex_.
  std::map<std::string, std::shared_ptr<LoadedStage>> stages_;
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::shared_ptr<Slot>> slots_;  // by pipeline and number
  bool closed_ = false;
};

}  // namespace lamina
