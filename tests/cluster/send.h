// Requests to a head, for tests.
#pragma once

#include "cluster/head.h"

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <utility>
#include <vector>

namespace lamina {

// The answer to come; `number` is what cancel() takes.
inline std::future<Prediction> send_to(Head& head, std::vector<Tensor> inputs,
                                       std::chrono::milliseconds limit, std::uint64_t* number) {
  auto promise = std::make_shared<std::promise<Prediction>>();
  auto future = promise->get_future();
  const std::uint64_t request =
      head.predict(std::move(inputs), Deadline(limit),
                   [promise](Prediction prediction) { promise->set_value(std::move(prediction)); });
  if (number != nullptr) *number = request;
  return future;
}

}  // namespace lamina
