// The streams that frames travel on, both ends.
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "cluster/frame.h"
#include "cluster/security.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/sync_stream.h>

namespace lamina {

// The receiving end, part of a gRPC server. `receive` is called in the thread of the stream, one frame after
// another; while it blocks, the sender is held back. Frames that can't be read end the stream with an error.
class DataService : public grpc::Service {
 public:
  using Receive = std::function<void(Frame)>;
  DataService(Receive receive, std::uint64_t max_frame_bytes);

 private:
  grpc::Status serve(grpc::ServerContext* context,
                     grpc::ServerReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>* stream);

  Receive receive_;
  std::uint64_t max_frame_bytes_;
};

// The sending end: one stream to one process. Thread-safe.
class DataLink {
 public:
  // `broken` is called once, from another thread, when the stream ends unasked, with what happened. `silence`
  // as of open_channel().
  DataLink(std::string address, const TlsFiles& tls, std::function<void(const Error&)> broken,
           std::chrono::milliseconds silence = {});
  ~DataLink();
  DataLink(const DataLink&) = delete;
  DataLink& operator=(const DataLink&) = delete;

  const std::string& address() const { return address_; }
  // Blocks while the receiver is held back. Error(unavailable) naming the address once the stream has ended.
  void send(Frame frame);
  bool alive() const;
  // Ends the stream; a send() that waits returns with its Error. `broken` is not called.
  void close();
  // Sends an echo frame with `tensors` and waits for its answer, `limit` at most, connecting included. Used
  // for measuring and to see that the other end is there, by one thread at a time.
  // Returns the seconds of processors that the other process has taken so far.
  double echo(const std::vector<Tensor>& tensors, std::chrono::milliseconds limit);

 private:
  void read_until_end();
  void wait_until_connected(const Deadline& deadline);

  std::string address_;
  std::function<void(const Error&)> broken_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream_;
  std::mutex write_mutex_;
  mutable std::mutex state_mutex_;
  std::condition_variable answered_;
  std::uint64_t answers_ = 0;          // echoes that came back
  double peer_processor_seconds_ = 0;  // that the last of them said
  bool ended_ = false;
  bool closing_ = false;
  std::thread reader_;
};

}  // namespace lamina
