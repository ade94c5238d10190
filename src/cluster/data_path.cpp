#include "cluster/data_path.h"

#include "base/processor_clock.h"
#include "cluster/status.h"

#include <utility>

#include <grpcpp/impl/codegen/method_handler.h>
#include <grpcpp/impl/codegen/rpc_method.h>
#include <grpcpp/impl/codegen/rpc_service_method.h>

namespace lamina {

namespace {

// Registered by hand, for messages of plain bytes.
constexpr const char* kMethod = "/lamina.v1.Data/Frames";
constexpr std::uint64_t kMostAnswerBytes = 1024;
constexpr std::chrono::milliseconds kPoll{20};

// What the answer to an echo says; 0 where it is none.
double processor_seconds_of(const grpc::ByteBuffer& answer) {
  try {
    return decode_frame(answer, kMostAnswerBytes).header.processor_seconds();
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace

DataService::DataService(Receive receive, std::uint64_t max_frame_bytes)
    : receive_(std::move(receive)), max_frame_bytes_(max_frame_bytes) {
  using Handler = grpc::internal::BidiStreamingHandler<DataService, grpc::ByteBuffer, grpc::ByteBuffer>;
  auto handler = std::make_unique<Handler>(
      [](DataService* service, grpc::ServerContext* context,
         grpc::ServerReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>* stream) {
        return service->serve(context, stream);
      },
      this);
  auto method = std::make_unique<grpc::internal::RpcServiceMethod>(
      kMethod, grpc::internal::RpcMethod::BIDI_STREAMING, handler.release());
  AddMethod(method.release());
}

grpc::Status DataService::serve(grpc::ServerContext*,
                                grpc::ServerReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>* stream) {
  grpc::ByteBuffer bytes;
  try {
    while (stream->Read(&bytes)) {
      Frame frame = decode_frame(bytes, max_frame_bytes_);
      bytes.Clear();
      if (frame.header.echo()) {
        Frame answer;
        answer.header.set_processor_seconds(processor_seconds());
        stream->Write(encode_frame(std::move(answer)));
      } else {
        receive_(std::move(frame));
      }
    }
  } catch (const Error& error) {
    return to_status(error);
  } catch (const std::exception& error) {
    return to_status(Error(ErrorCode::internal, error.what()));
  }
  return grpc::Status::OK;
}

DataLink::DataLink(std::string address, const TlsFiles& tls, std::function<void(const Error&)> broken,
                   std::chrono::milliseconds silence)
    : address_(std::move(address)),
      broken_(std::move(broken)),
      channel_(open_channel(address_, tls, silence)) {
  // The stream begins with its first frame: making it would wait here for a connection.
  context_.set_initial_metadata_corked(true);
  const grpc::internal::RpcMethod method(kMethod, grpc::internal::RpcMethod::BIDI_STREAMING);
  stream_.reset(grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(
      channel_.get(), method, &context_));
  reader_ = std::thread([this] { read_until_end(); });
}

DataLink::~DataLink() {
  close();
  reader_.join();
}

void DataLink::close() {
  {
    const std::lock_guard lock(state_mutex_);
    closing_ = true;
  }
  context_.TryCancel();
}

void DataLink::read_until_end() {
  grpc::ByteBuffer answer;
  while (stream_->Read(&answer)) {
    const double seconds = processor_seconds_of(answer);
    const std::lock_guard lock(state_mutex_);
    peer_processor_seconds_ = seconds;
    ++answers_;
    answered_.notify_all();
  }
  bool asked = false;
  {
    const std::lock_guard lock(state_mutex_);
    ended_ = true;
    asked = closing_;
    answered_.notify_all();
  }
  // Writes are over before the status is asked for.
  grpc::Status status;
  {
    const std::lock_guard lock(write_mutex_);
    status = stream_->Finish();
  }
  if (asked || !broken_) return;
  try {
    throw_if_failed(status, "'" + address_ + "'");
    fail(ErrorCode::unavailable, "'{}' closed the connection", address_);
  } catch (const Error& error) {
    broken_(error);
  }
}

bool DataLink::alive() const {
  const std::lock_guard lock(state_mutex_);
  return !ended_;
}

void DataLink::send(Frame frame) {
  const grpc::ByteBuffer bytes = encode_frame(std::move(frame));
  const std::lock_guard lock(write_mutex_);
  if (!alive() || !stream_->Write(bytes)) {
    fail(ErrorCode::unavailable, "the connection to '{}' is broken", address_);
  }
}

// Writing would wait for a connection as long as the system tries to make one.
void DataLink::wait_until_connected(const Deadline& deadline) {
  while (alive() && channel_->GetState(true) != GRPC_CHANNEL_READY) {
    if (deadline.passed())
      fail(ErrorCode::deadline_exceeded, "'{}' can't be connected to: it does not answer", address_);
    channel_->WaitForStateChange(channel_->GetState(true), std::chrono::system_clock::now() + kPoll);
  }
}

double DataLink::echo(const std::vector<Tensor>& tensors, std::chrono::milliseconds limit) {
  const Deadline deadline(limit);
  wait_until_connected(deadline);
  std::uint64_t before = 0;
  {
    const std::lock_guard lock(state_mutex_);
    before = answers_;
  }
  Frame frame;
  frame.header.set_echo(true);
  frame.tensors = narrow(tensors, WireFormat::f32);
  send(std::move(frame));
  std::unique_lock lock(state_mutex_);
  answered_.wait_for(lock, deadline.left(), [&] { return answers_ > before || ended_; });
  if (answers_ > before) return peer_processor_seconds_;
  fail(ended_ ? ErrorCode::unavailable : ErrorCode::deadline_exceeded, "'{}' did not answer an echo",
       address_);
}

}  // namespace lamina
