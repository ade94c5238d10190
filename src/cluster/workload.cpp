#include "cluster/workload.h"

#include "base/error.h"
#include "cluster/pipeline_number.h"
#include "cluster/process_memory.h"

namespace lamina {

void Workload::add(const std::string& name, std::shared_ptr<LoadedStage> stage) {
  const std::lock_guard lock(mutex_);
  stages_[name] = std::move(stage);
}

std::shared_ptr<LoadedStage> Workload::stage(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = stages_.find(name);
  if (found == stages_.end()) fail(ErrorCode::not_found, "stage {} is not loaded", name);
  return found->second;
}

std::shared_ptr<LoadedStage> Workload::find(const v1::LoadRequest& request) const {
  const std::lock_guard lock(mutex_);
  const auto found = stages_.find(request.stage());
  const bool same = found != stages_.end() && found->second->precision == request.precision() &&
                    found->second->batch == request.batch();
  return same ? found->second : nullptr;
}

std::vector<std::shared_ptr<Slot>> Workload::take_out(const IsSlot& is_meant) {
  std::vector<std::shared_ptr<Slot>> taken;
  std::erase_if(slots_, [&](auto& entry) {
    if (!is_meant(*entry.second)) return false;
    taken.push_back(entry.second);
    return true;
  });
  for (const auto& slot : taken) slot->close();
  return taken;
}

void Workload::add(std::shared_ptr<Slot> slot) {
  const SlotRoute& route = slot->route();
  std::vector<std::shared_ptr<Slot>> ended;  // destroyed after the lock
  const std::lock_guard lock(mutex_);
  if (closed_) fail(ErrorCode::unavailable, "it is being ended");
  ended = take_out([&](const Slot& other) {
    return head_of(other.route().pipeline) != head_of(route.pipeline) ||
           (other.route().pipeline == route.pipeline && other.route().slot == route.slot);
  });
  slots_[{route.pipeline, route.slot}] = std::move(slot);
}

std::shared_ptr<Slot> Workload::slot(std::uint64_t pipeline, std::uint32_t number) const {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find({pipeline, number});
  return found == slots_.end() ? nullptr : found->second;
}

bool Workload::has_slots() const {
  const std::lock_guard lock(mutex_);
  return !slots_.empty();
}

void Workload::cancel(std::uint64_t pipeline, std::uint64_t request) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, slot] : slots_) {
    if (key.first == pipeline) slot->cancel(request);
  }
}

void Workload::unload(const std::string& stage) {
  end([&](const Slot& slot) { return slot.route().stage == stage; },
      [&](const std::string& name) { return name == stage; });
}

void Workload::keep_only(const std::set<std::uint64_t>& pipelines, const std::set<std::string>& stages) {
  end([&](const Slot& slot) { return !pipelines.contains(slot.route().pipeline); },
      [&](const std::string& name) { return !stages.contains(name); });
}

void Workload::end(const IsSlot& is_slot, const std::function<bool(const std::string& stage)>& is_stage) {
  {
    std::vector<std::shared_ptr<Slot>> ended;  // destroyed after the lock
    const std::lock_guard lock(mutex_);
    std::erase_if(stages_, [&](const auto& entry) { return is_stage(entry.first); });
    ended = take_out(is_slot);
  }
  return_freed_memory();
}

void Workload::close() {
  std::vector<std::shared_ptr<Slot>> ended;  // destroyed after the lock
  const std::lock_guard lock(mutex_);
  closed_ = true;
  ended = take_out([](const Slot&) { return true; });
}

}  // namespace lamina
