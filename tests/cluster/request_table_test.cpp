#include "cluster/request_table.h"

#include "base/error.h"

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kLimit{30};

// Counts how often it is called back, and keeps the last.
struct Reply {
  std::atomic<int> calls = 0;
  std::promise<std::optional<ErrorCode>> promise;
  std::future<std::optional<ErrorCode>> future = promise.get_future();

  RequestTable::Callback callback() {
    return [this](const Prediction& prediction) {
      std::optional<ErrorCode> code;
      if (prediction.error) code = prediction.error->code();
      if (++calls == 1) promise.set_value(code);
    };
  }
  // The error of the first call; nothing for an answer.
  std::optional<ErrorCode> wait() {
    if (future.wait_for(kLimit) != std::future_status::ready) return ErrorCode::internal;
    return future.get();
  }
};

Error lost() { return {ErrorCode::unavailable, "lost"}; }

class RequestTables : public testing::Test {
 protected:
  std::uint64_t add(Reply& reply, Clock::duration limit = kLimit) {
    return table_->add({Tensor::scalar(1)}, Deadline(limit), reply.callback()).number;
  }
  PipelineStatus counts() const {
    PipelineStatus status;
    table_->count(status);
    return status;
  }

  std::mutex mutex_;
  std::vector<std::uint64_t> dropped_;
  std::unique_ptr<RequestTable> table_ = std::make_unique<RequestTable>(1000, [this](std::uint64_t request) {
    const std::lock_guard lock(mutex_);
    dropped_.push_back(request);
  });
};

TEST_F(RequestTables, AnswerOnce) {
  Reply reply;
  const std::uint64_t number = add(reply);
  EXPECT_TRUE(table_->contains(number));
  EXPECT_TRUE(table_->answer(number, {}));
  EXPECT_FALSE(table_->answer(number, {{}, lost()}));
  EXPECT_FALSE(table_->contains(number));
  EXPECT_EQ(reply.wait(), std::nullopt);
  EXPECT_EQ(reply.calls, 1);
  EXPECT_EQ(counts().requests_answered, 1U);
  EXPECT_EQ(counts().requests_failed, 0U);
}

TEST_F(RequestTables, TakeAnswersOfThePipelineThatHasTheRequestAlone) {
  Reply reply;
  const std::uint64_t number = add(reply);
  EXPECT_FALSE(table_->answer_from(7, number, {}));
  ASSERT_TRUE(table_->hand_to(7, number));
  EXPECT_TRUE(table_->is_with(7, number));
  EXPECT_FALSE(table_->hand_to(7, number)) << "it has it already";
  ASSERT_TRUE(table_->hand_to(8, number));
  EXPECT_EQ(table_->turns(number), 2);
  EXPECT_EQ(table_->count_with(7), 0U);
  EXPECT_EQ(table_->count_with(8), 1U);
  EXPECT_FALSE(table_->answer_from(7, number, {})) << "late";
  EXPECT_EQ(reply.calls, 0);
  EXPECT_TRUE(table_->answer_from(8, number, {}));
  EXPECT_FALSE(table_->answer_from(8, number, {}));
  EXPECT_EQ(reply.calls, 1);
  EXPECT_FALSE(table_->hand_to(9, number)) << "it is answered";
  EXPECT_EQ(table_->turns(number), 0);
}

TEST_F(RequestTables, GiveTheInputsAndTheDeadlineToEachPipeline) {
  Reply reply;
  const Request taken = table_->add({Tensor::scalar(3)}, Deadline(kLimit), reply.callback());
  for (const std::uint64_t pipeline : {7, 8}) {
    const std::optional<Request> handed = table_->hand_to(pipeline, taken.number);
    ASSERT_TRUE(handed);
    EXPECT_EQ(handed->inputs.at(0).to_floats(), std::vector<float>{3});
    EXPECT_EQ(handed->deadline.time(), taken.deadline.time());
  }
  table_.reset();  // before those that it calls back
}

TEST_F(RequestTables, RefuseWhatIsTooMuch) {
  table_ = std::make_unique<RequestTable>(2, [](std::uint64_t) {});
  Reply first;
  Reply second;
  Reply third;
  const std::uint64_t number = add(first);
  add(second);
  EXPECT_THROW(add(third), Error);
  EXPECT_EQ(third.calls, 0);
  table_->answer(number, {});
  EXPECT_GT(add(third), number);
  EXPECT_EQ(counts().requests_in_flight, 2U);
  table_.reset();
}

TEST_F(RequestTables, RefuseFromAnotherThread) {
  std::mutex held;
  Reply reply;
  std::thread::id thread;
  {
    const std::lock_guard lock(held);
    table_->refuse(
        [&](const Prediction& prediction) {
          const std::lock_guard inner(held);  // would wait for ever in this thread
          thread = std::this_thread::get_id();
          reply.callback()(prediction);
        },
        lost());
  }
  EXPECT_EQ(reply.wait(), ErrorCode::unavailable);
  EXPECT_NE(thread, std::this_thread::get_id());
  EXPECT_EQ(counts().requests_failed, 1U);
}

TEST_F(RequestTables, EndRequestsAtTheirDeadlinesWhateverComesBetween) {
  Reply late;
  Reply later;
  Reply in_time;
  const std::uint64_t second = add(later, milliseconds(60));
  const std::uint64_t first = add(late, milliseconds(20));  // it comes later and ends sooner
  const std::uint64_t other = add(in_time);
  EXPECT_EQ(late.wait(), ErrorCode::deadline_exceeded);
  EXPECT_EQ(later.wait(), ErrorCode::deadline_exceeded);
  EXPECT_TRUE(table_->contains(other));
  EXPECT_FALSE(table_->answer(first, {}));
  table_->close();
  EXPECT_EQ(dropped_, (std::vector<std::uint64_t>{first, second}));
  EXPECT_TRUE(table_->answer(other, {}));
  EXPECT_EQ(in_time.wait(), std::nullopt);
}

TEST_F(RequestTables, FailAllThatAreThere) {
  std::vector<Reply> replies(10);
  for (Reply& reply : replies) add(reply);
  EXPECT_EQ(table_->numbers().size(), 10U);
  table_->fail_all(lost());
  for (Reply& reply : replies) EXPECT_EQ(reply.wait(), ErrorCode::unavailable);
  EXPECT_TRUE(table_->numbers().empty());
  EXPECT_EQ(counts().requests_failed, 10U);
}

TEST_F(RequestTables, CancelWhatIsLeftWhenTheyEnd) {
  Reply kept;
  Reply refused;
  add(kept);
  table_->close();
  table_->refuse(refused.callback(), lost());
  table_.reset();
  EXPECT_EQ(kept.wait(), ErrorCode::cancelled);
  EXPECT_EQ(refused.wait(), ErrorCode::unavailable);
  EXPECT_EQ(kept.calls, 1);
  EXPECT_EQ(refused.calls, 1);
}

TEST_F(RequestTables, MayBeUsedWithinACallback) {
  Reply second;
  const std::uint64_t first =
      table_->add({}, Deadline(kLimit), [&](const Prediction&) { table_->answer(add(second), {}); }).number;
  table_->answer(first, {});
  EXPECT_EQ(second.wait(), std::nullopt);
}

// Two pipelines, clients that cancel, deadlines that pass and a loss of everything, all at once.
TEST_F(RequestTables, CallEachBackOnceHoweverManyAnswer) {
  constexpr std::size_t kRequests = 2000;
  table_ = std::make_unique<RequestTable>(kRequests, [](std::uint64_t) {});
  std::vector<Reply> replies(kRequests);
  std::vector<std::atomic<std::uint64_t>> numbers(kRequests);
  std::atomic<std::size_t> added = 0;
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    for (std::size_t i = 0; i < kRequests; ++i) {
      numbers[i] = add(replies[i], i % 5 == 0 ? milliseconds(1) : milliseconds(kLimit));
      added = i + 1;
    }
  });
  const auto for_each = [&](const auto& what) {
    threads.emplace_back([&, what] {
      for (std::size_t i = 0; i < kRequests; ++i) {
        while (added <= i) std::this_thread::yield();
        what(i, numbers[i].load());
      }
    });
  };
  for (const std::uint64_t pipeline : {7, 8}) {
    for_each([&, pipeline](std::size_t, std::uint64_t number) {
      table_->hand_to(pipeline, number);
      table_->answer_from(pipeline, number, {});
    });
  }
  for_each([&](std::size_t i, std::uint64_t number) {
    if (i % 7 == 0) table_->answer(number, {{}, Error(ErrorCode::cancelled, "by its client")});
  });
  for_each([&](std::size_t i, std::uint64_t) {
    if (i % 100 == 99) table_->fail_all(lost());
  });
  for (std::thread& thread : threads) thread.join();
  for (const std::uint64_t number : table_->numbers()) table_->answer(number, {});
  for (Reply& reply : replies) reply.wait();
  const PipelineStatus status = counts();
  EXPECT_EQ(status.requests_answered + status.requests_failed, kRequests);
  EXPECT_EQ(status.requests_in_flight, 0U);
  table_.reset();
  for (std::size_t i = 0; i < kRequests; ++i) EXPECT_EQ(replies[i].calls, 1) << i;
}

}  // namespace
}  // namespace lamina
