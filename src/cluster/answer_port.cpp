#include "cluster/answer_port.h"

#include <chrono>
#include <utility>

namespace lamina {

AnswerPort::AnswerPort(const std::string& listen, const TlsFiles& tls, std::uint64_t max_frame_bytes)
    : data_([this](Frame frame) { receive(std::move(frame)); }, max_frame_bytes) {
  listener_ = listen_at(listen, tls, max_frame_bytes, {&data_}, "the head");
}

AnswerPort::~AnswerPort() {
  listener_.server->Shutdown(std::chrono::system_clock::now());
  listener_.server->Wait();
}

void AnswerPort::open(std::uint64_t pipeline, Receive receive) {
  const auto subscriber = std::make_shared<Subscriber>();
  subscriber->receive = std::move(receive);
  const std::lock_guard lock(mutex_);
  subscribers_[pipeline] = subscriber;
}

void AnswerPort::close(std::uint64_t pipeline) {
  std::shared_ptr<Subscriber> subscriber;
  {
    const std::lock_guard lock(mutex_);
    const auto found = subscribers_.find(pipeline);
    if (found == subscribers_.end()) return;
    subscriber = std::move(found->second);
    subscribers_.erase(found);
  }
  const std::unique_lock none_runs(subscriber->running);
  subscriber->receive = nullptr;
}

void AnswerPort::receive(Frame frame) {
  std::shared_ptr<Subscriber> subscriber;
  {
    const std::lock_guard lock(mutex_);
    const auto found = subscribers_.find(frame.header.pipeline());
    if (found == subscribers_.end()) return;
    subscriber = found->second;
  }
  const std::shared_lock runs(subscriber->running);
  if (subscriber->receive) subscriber->receive(std::move(frame));
}

}  // namespace lamina
