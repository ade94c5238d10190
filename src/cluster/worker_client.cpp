#include "cluster/worker_client.h"

#include "base/error.h"
#include "base/json.h"
#include "base/sha256.h"
#include "cluster/status.h"
#include "cluster/worker_server.h"
#include "graph/serialize.h"

#include <algorithm>
#include <map>
#include <utility>

namespace lamina {

namespace {

constexpr std::size_t kChunk = 1U << 20U;
constexpr std::chrono::seconds kShort{20};
constexpr std::chrono::minutes kLong{10};

template <typename Duration>
void set_deadline(grpc::ClientContext& context, Duration limit) {
  context.set_deadline(std::chrono::system_clock::now() + limit);
}

}  // namespace

WorkerClient::WorkerClient(std::string address, const TlsFiles& tls)
    : address_(std::move(address)),
      channel_(open_channel(address_, tls)),
      stub_(v1::Worker::NewStub(channel_)) {}

WorkerDescription WorkerClient::describe(std::chrono::milliseconds limit) {
  grpc::ClientContext context;
  set_deadline(context, limit);
  context.set_wait_for_ready(true);
  v1::DescribeRequest request;
  request.set_protocol(kProtocolVersion);
  v1::Description reply;
  throw_if_failed(stub_->Describe(&context, request, &reply), peer());
  DeviceInfo device{reply.name(), address_, reply.threads(), reply.memory(), reply.free_memory()};
  device.processors = reply.processors();
  return {std::move(device), reply.engine(), reply.processor_seconds()};
}

void WorkerClient::send_missing_blobs(const Graph& graph, const std::vector<std::string>& hashes) {
  std::map<std::string, const Tensor*> tensors;
  v1::BlobList wanted;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    if (tensors.emplace(hashes[i], &graph.weights()[i].data).second) wanted.add_sha256(hashes[i]);
  }
  v1::BlobList missing;
  {
    grpc::ClientContext context;
    set_deadline(context, kLong);
    throw_if_failed(stub_->FindMissing(&context, wanted, &missing), peer());
  }
  if (missing.sha256_size() == 0) return;
  grpc::ClientContext context;
  set_deadline(context, kLong);
  v1::Done done;
  const auto stream = stub_->PutBlobs(&context, &done);
  bool open = true;
  for (const std::string& hash : missing.sha256()) {
    const auto found = tensors.find(hash);
    if (found == tensors.end())
      fail(ErrorCode::corrupt, "{} asks for blob {}, which it was not offered", peer(), hash);
    const std::span<const std::byte> bytes = found->second->data().bytes();
    std::size_t sent = 0;
    do {
      const std::size_t size = std::min(kChunk, bytes.size() - sent);
      v1::BlobChunk chunk;
      chunk.set_sha256(hash);
      chunk.set_data(bytes.data() + sent, size);
      sent += size;
      chunk.set_last(sent == bytes.size());
      open = stream->Write(chunk);
    } while (open && sent < bytes.size());
    if (!open) break;
  }
  stream->WritesDone();
  throw_if_failed(stream->Finish(), peer());
}

void WorkerClient::send_and_load(const Graph& graph, const std::vector<std::string>& hashes,
                                 const v1::LoadRequest& request, v1::LoadReply* reply) {
  send_missing_blobs(graph, hashes);
  grpc::ClientContext context;
  set_deadline(context, kLong);
  throw_if_failed(stub_->Load(&context, request, reply), peer());
}

std::string WorkerClient::load(const Graph& graph, const std::vector<std::string>& hashes,
                               const LoadOptions& options, LoadCost* cost) {
  v1::LoadRequest request;
  request.set_graph(to_json(graph, hashes).dump());
  request.set_stage(sha256(request.graph()));
  request.set_precision(options.precision);
  request.set_batch(options.batch);
  request.set_concurrency(options.concurrency);
  v1::LoadReply reply;
  try {
    send_and_load(graph, hashes, request, &reply);
  } catch (const Error& error) {
    // A blob was damaged in the worker's store since it came; the worker has removed it.
    if (error.code() != ErrorCode::corrupt) throw;
    send_and_load(graph, hashes, request, &reply);
  }
  if (cost != nullptr) *cost = {reply.weight_bytes(), reply.activation_bytes(), reply.seconds()};
  return request.stage();
}

void WorkerClient::unload(const std::string& stage) {
  grpc::ClientContext context;
  set_deadline(context, kShort);
  v1::StageName request;
  request.set_stage(stage);
  v1::Done done;
  throw_if_failed(stub_->Unload(&context, request, &done), peer());
}

PieceTime WorkerClient::measure(const std::string& stage, std::int64_t batch, const MeasureOptions& options) {
  grpc::ClientContext context;
  set_deadline(context, kLong);
  v1::MeasureRequest request;
  request.set_stage(stage);
  request.set_batch(batch);
  request.set_warm_up(options.warm_up);
  request.set_repeats(options.repeats);
  request.set_pause_microseconds(static_cast<int>(options.pause.count()));
  request.set_steady_milliseconds(static_cast<int>(options.steady.count()));
  v1::MeasureReply reply;
  throw_if_failed(stub_->Measure(&context, request, &reply), peer());
  return {reply.median(),           reply.p10(),          reply.p90(),
          reply.activation_bytes(), reply.weight_bytes(), reply.steady()};
}

LinkTimes WorkerClient::measure_link(const std::string& to, int pings, double seconds,
                                     std::chrono::microseconds pause) {
  grpc::ClientContext context;
  set_deadline(context, kLong);
  v1::LinkRequest request;
  request.set_address(to);
  request.set_pings(pings);
  request.set_seconds(seconds);
  request.set_pause_microseconds(static_cast<int>(pause.count()));
  v1::LinkReply reply;
  throw_if_failed(stub_->MeasureLink(&context, request, &reply), peer());
  return {{reply.round_trip_min(), reply.round_trip_mean(), reply.round_trip_max(), reply.bandwidth()},
          {reply.send(), reply.send_byte(), reply.receive(), reply.receive_byte()}};
}

WireTime WorkerClient::measure_wire(WireFormat format, std::uint64_t bytes) {
  grpc::ClientContext context;
  set_deadline(context, kLong);
  v1::WireRequest request;
  request.set_format(std::string(to_string(format)));
  request.set_bytes(bytes);
  v1::WireReply reply;
  throw_if_failed(stub_->MeasureWire(&context, request, &reply), peer());
  return {reply.narrow_seconds(), reply.widen_seconds(), reply.bytes()};
}

void WorkerClient::connect(const v1::ConnectRequest& request) {
  grpc::ClientContext context;
  set_deadline(context, kLong);
  v1::Done done;
  throw_if_failed(stub_->Connect(&context, request, &done), peer());
}

void WorkerClient::cancel(std::uint64_t pipeline, std::uint64_t request_number) {
  grpc::ClientContext context;
  set_deadline(context, kShort);
  v1::CancelRequest request;
  request.set_pipeline(pipeline);
  request.set_request(request_number);
  v1::Done done;
  throw_if_failed(stub_->Cancel(&context, request, &done), peer());
}

v1::CheckReply WorkerClient::check(std::uint64_t pipeline, std::uint32_t slot,
                                   std::chrono::milliseconds limit) {
  grpc::ClientContext context;
  set_deadline(context, limit);
  v1::CheckRequest request;
  request.set_pipeline(pipeline);
  request.set_slot(slot);
  v1::CheckReply reply;
  throw_if_failed(stub_->Check(&context, request, &reply), peer());
  return reply;
}

}  // namespace lamina
