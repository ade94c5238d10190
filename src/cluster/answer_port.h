// Where workers deliver answers: one address for as long as the head lives, whichever pipelines come and go.
#pragma once

#include "cluster/data_path.h"
#include "cluster/listener.h"
#include "cluster/security.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

namespace lamina {

// Thread-safe.
class AnswerPort {
 public:
  using Receive = std::function<void(Frame)>;

  // Error(unavailable) when the address can't be listened on.
  AnswerPort(const std::string& listen, const TlsFiles& tls, std::uint64_t max_frame_bytes);
  ~AnswerPort();
  AnswerPort(const AnswerPort&) = delete;
  AnswerPort& operator=(const AnswerPort&) = delete;

  const std::string& address() const { return listener_.address; }

  // Frames of this pipeline go to `receive`, from several threads. Those of others are dropped.
  void open(std::uint64_t pipeline, Receive receive);
  // Waits until `receive` has returned everywhere; it is not called any more.
  void close(std::uint64_t pipeline);

 private:
  struct Subscriber {
    std::shared_mutex running;  // shared while a call runs
    Receive receive;            // empty once closed
  };

  void receive(Frame frame);

  std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<Subscriber>> subscribers_;  // guarded by mutex_
  DataService data_;
  Listener listener_;
};

}  // namespace lamina
