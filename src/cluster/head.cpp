#include "cluster/head.h"

#include "base/error.h"
#include "base/log.h"
#include "cluster/answer_port.h"
#include "cluster/generation.h"
#include "cluster/pipeline_number.h"
#include "cluster/request_table.h"

#include <utility>

namespace lamina {

class Head::Implementation {
 public:
  Implementation(Signature signature, std::vector<HeadStage> stages, const HeadOptions& options)
      : signature_(std::move(signature)),
        options_(options),
        answers_(options.listen, options.tls, options.max_frame_bytes),
        requests_(options.max_in_flight, [this](std::uint64_t request) { generation_.cancel(request); }),
        generation_(signature_, std::move(stages), options, new_pipeline_number(), answers_, events()) {}

  ~Implementation() {
    // Nothing is cancelled any more in a generation that is going.
    requests_.close();
  }

  GenerationEvents events() {
    return {
        .answered =
            [this](std::uint64_t request, Prediction prediction) {
              const bool failed = prediction.error.has_value();
              if (requests_.answer(request, std::move(prediction)) && failed) generation_.drop(request);
            },
        .wanted = [this](std::uint64_t request) { return requests_.contains(request); },
        .lost = [this](
                    const std::string&,
                    const Error& error) { requests_.fail_all(Error(ErrorCode::unavailable, error.what())); },
    };
  }

  std::uint64_t predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) {
    Request request;
    try {
      check_inputs(signature_, inputs);
      if (!generation_.ready())
        fail(ErrorCode::unavailable, "the pipeline is not ready: {}", generation_.trouble());
      request = requests_.add(std::move(inputs), deadline, done);
    } catch (const Error& error) {
      requests_.refuse(std::move(done), error);
      return 0;
    }
    const std::uint64_t number = request.number;
    if (!generation_.send(std::move(request))) {
      const Error error(ErrorCode::resource_exhausted, "too many requests wait to be sent");
      requests_.answer(number, {{}, error});
    }
    return number;
  }

  void cancel(std::uint64_t request) {
    const Error error(ErrorCode::cancelled, "the request was cancelled");
    if (requests_.answer(request, {{}, error})) generation_.cancel(request);
  }

  PipelineStatus status() const {
    PipelineStatus status;
    status.model = options_.model;
    status.predicted_latency = options_.predicted_latency;
    status.stages = generation_.stages();
    requests_.count(status);
    return status;
  }

  const Signature& signature() const { return signature_; }
  Generation& generation() { return generation_; }

 private:
  const Signature signature_;
  const HeadOptions options_;
  AnswerPort answers_;
  RequestTable requests_;
  Generation generation_;
};

Head::Head(Signature signature, std::vector<HeadStage> stages, HeadOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(signature), std::move(stages), options)) {}

Head::~Head() = default;

void Head::start() { implementation_->generation().start(); }

void Head::unload() { implementation_->generation().unload(); }

const Signature& Head::signature() const { return implementation_->signature(); }

std::uint64_t Head::predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) {
  return implementation_->predict(std::move(inputs), deadline, std::move(done));
}

void Head::cancel(std::uint64_t request) { implementation_->cancel(request); }

PipelineStatus Head::connect() {
  try {
    implementation_->generation().connect();
  } catch (const Error& error) {
    spdlog::warn("can't connect the stages: {}", error.what());
  }
  return implementation_->status();
}

PipelineStatus Head::activate() {
  try {
    if (!implementation_->generation().ready()) start();
  } catch (const Error& error) {
    spdlog::warn("can't load the stages: {}", error.what());
  }
  return implementation_->status();
}

PipelineStatus Head::status() const { return implementation_->status(); }

PipelineStatus Head::check() {
  implementation_->generation().check();
  return implementation_->status();
}

}  // namespace lamina
