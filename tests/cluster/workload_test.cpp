#include "cluster/workload.h"

#include "base/error.h"

#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// What a run of a stage might do while its slot ends: look at the worker.
class Looking : public Executable {
 public:
  explicit Looking(const Workload& workload) : workload_(workload) {}
  ~Looking() override { workload_.has_slots(); }
  std::vector<Tensor> run(std::span<const Tensor> inputs) override { return {inputs.begin(), inputs.end()}; }
  MemoryUse memory() const override { return {}; }

 private:
  const Workload& workload_;
};

std::shared_ptr<Slot> make_slot(const Workload& workload, std::uint64_t pipeline, const std::string& stage) {
  return std::make_shared<Slot>(
      SlotRoute{.worker = "w", .pipeline = pipeline, .slot = 1, .stage = stage, .parts = {}},
      std::make_shared<Looking>(workload), std::vector<SlotConsumer>{},
      std::make_shared<DataLink>("127.0.0.1:9", TlsFiles{}, nullptr));
}

TEST(Workloads, EndSlotsWithoutKeepingOthersWaiting) {
  Workload workload;
  workload.add(make_slot(workload, 1, "a"));
  EXPECT_TRUE(workload.has_slots());
  auto closed = std::async(std::launch::async, [&] { workload.close(); });
  ASSERT_EQ(closed.wait_for(std::chrono::seconds(30)), std::future_status::ready) << "it waits for itself";
  EXPECT_FALSE(workload.has_slots());
}

// A head that connects while the worker ends.
TEST(Workloads, TakeNoSlotsOnceTheyAreClosed) {
  Workload workload;
  workload.close();
  try {
    workload.add(make_slot(workload, 1, "a"));
    ADD_FAILURE() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
  }
  EXPECT_FALSE(workload.has_slots());
}

TEST(Workloads, EndTheSlotsOfAStageAndOfOtherPipelines) {
  Workload workload;
  workload.add(make_slot(workload, 1, "a"));
  workload.unload("b");
  EXPECT_NE(workload.slot(1, 1), nullptr);
  workload.keep_only({1}, {});
  EXPECT_NE(workload.slot(1, 1), nullptr);
  workload.keep_only({2}, {});
  EXPECT_EQ(workload.slot(1, 1), nullptr);
  workload.add(make_slot(workload, 1, "a"));
  workload.unload("a");
  EXPECT_EQ(workload.slot(1, 1), nullptr);
}

}  // namespace
}  // namespace lamina
