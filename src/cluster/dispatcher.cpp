#include "cluster/dispatcher.h"

#include "base/error.h"

#include <utility>

namespace lamina {

namespace {

// Whether the request may do better in another generation.
bool is_loss(const Error& error) {
  return error.code() == ErrorCode::unavailable || error.code() == ErrorCode::cancelled;
}

}  // namespace

Dispatcher::Dispatcher(Signature signature, std::size_t capacity, int most_turns,
                       std::function<void(std::uint64_t, const Error&)> lost)
    : signature_(std::move(signature)),
      most_turns_(most_turns),
      lost_(std::move(lost)),
      requests_(capacity, [this](std::uint64_t request) { forget(request); }) {}

Dispatcher::~Dispatcher() {
  requests_.close();
  retire();
}

std::uint64_t Dispatcher::predict(std::vector<Tensor> inputs, Deadline deadline,
                                  const Orchestrator::Callback& done) {
  std::uint64_t number = 0;
  try {
    const std::int64_t rows = check_inputs(signature_, inputs);
    {
      const std::lock_guard lock(mutex_);
      rows_.note(static_cast<double>(rows), Clock::now());
      if (refusal_) throw Error(*refusal_);
    }
    number = requests_.add(std::move(inputs), deadline, done).number;
  } catch (const Error& error) {
    requests_.refuse(done, error);
    return 0;
  }
  send({number});
  return number;
}

void Dispatcher::cancel(std::uint64_t request) {
  const Error error(ErrorCode::cancelled, "the request was cancelled");
  if (requests_.answer(request, {{}, error})) forget(request);
}

void Dispatcher::receive(std::uint64_t pipeline, std::uint64_t request, Prediction prediction) {
  if (prediction.error && is_loss(*prediction.error) && has(pipeline, request)) {
    const Error error = *prediction.error;
    lost_(pipeline, error);
    if (requests_.turns(request) < most_turns_) return;  // it stays in the table
    prediction.error = Error(ErrorCode::unavailable,
                             fmt::format("given up after {} attempts: {}", most_turns_, error.what()));
  }
  requests_.answer_from(pipeline, request, std::move(prediction));
}

void Dispatcher::serve(std::shared_ptr<Generation> generation) {
  std::shared_ptr<Generation> old;
  {
    const std::lock_guard lock(mutex_);
    old = std::exchange(serving_, std::move(generation));
    refusal_.reset();
    serves_.notify_all();
  }
  std::vector<std::uint64_t> numbers = requests_.numbers();
  if (old) std::erase_if(numbers, [&](std::uint64_t one) { return has(old->pipeline(), one); });
  send(numbers);
}

// Under the lock, so that a generation that is retired gets no more requests.
void Dispatcher::send(const std::vector<std::uint64_t>& numbers) {
  std::vector<std::uint64_t> refused;
  {
    const std::lock_guard lock(mutex_);
    if (!serving_) return;
    for (const std::uint64_t number : numbers) {
      std::optional<Request> request = requests_.hand_to(serving_->pipeline(), number);
      if (!request) continue;
      if (requests_.turns(number) > 1) ++resent_;
      if (!serving_->send(std::move(*request))) refused.push_back(number);
    }
  }
  const Error error(ErrorCode::resource_exhausted, "too many requests wait to be sent");
  for (const std::uint64_t number : refused) requests_.answer(number, {{}, error});
}

void Dispatcher::forget(std::uint64_t request) {
  const std::lock_guard lock(mutex_);
  if (serving_) serving_->cancel(request);
}

std::shared_ptr<Generation> Dispatcher::retire() {
  const std::lock_guard lock(mutex_);
  return std::exchange(serving_, nullptr);
}

std::shared_ptr<Generation> Dispatcher::serving() const {
  const std::lock_guard lock(mutex_);
  return serving_;
}

bool Dispatcher::wait_until_serving(std::chrono::milliseconds limit) const {
  std::unique_lock lock(mutex_);
  return serves_.wait_for(lock, limit, [this] { return serving_ != nullptr; });
}

void Dispatcher::refuse(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    refusal_ = error;
  }
  requests_.fail_all(error);
}

double Dispatcher::rows_per_second() const {
  const std::lock_guard lock(mutex_);
  return rows_.most(Clock::now());
}

bool Dispatcher::is_refusing() const {
  const std::lock_guard lock(mutex_);
  return refusal_.has_value();
}

}  // namespace lamina
