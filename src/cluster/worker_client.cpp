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

}  // namespace

std::string stage_name(const Graph& graph, const std::vector<std::string>& hashes) {
  return sha256(to_json(graph, hashes).dump());
}

WorkerClient::WorkerClient(std::string address, const TlsFiles& tls)
    : address_(std::move(address)),
      channel_(open_channel(address_, tls)),
      stub_(v1::Worker::NewStub(channel_)) {}

void WorkerClient::begin(grpc::ClientContext& context) {
  const std::lock_guard lock(mutex_);
  under_way_.insert(&context);
  if (abandoned_) context.TryCancel();
}

void WorkerClient::end(grpc::ClientContext& context) {
  const std::lock_guard lock(mutex_);
  under_way_.erase(&context);
}

void WorkerClient::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  for (grpc::ClientContext* context : under_way_) context->TryCancel();
}

WorkerDescription WorkerClient::describe(std::chrono::milliseconds limit) { return ask(limit, true); }

WorkerDescription WorkerClient::look(std::chrono::milliseconds limit) { return ask(limit, false); }

WorkerDescription WorkerClient::ask(std::chrono::milliseconds limit, bool wait) {
  Call call(*this, limit);
  call.context()->set_wait_for_ready(wait);
  v1::DescribeRequest request;
  request.set_protocol(kProtocolVersion);
  v1::Description reply;
  throw_if_failed(stub_->Describe(call.context(), request, &reply), peer());
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
    Call call(*this, kLong);
    throw_if_failed(stub_->FindMissing(call.context(), wanted, &missing), peer());
  }
  if (missing.sha256_size() == 0) return;
  Call call(*this, kLong);
  v1::Done done;
  const auto stream = stub_->PutBlobs(call.context(), &done);
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
  Call call(*this, kLong);
  throw_if_failed(stub_->Load(call.context(), request, reply), peer());
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
  Call call(*this, kShort);
  v1::StageName request;
  request.set_stage(stage);
  v1::Done done;
  throw_if_failed(stub_->Unload(call.context(), request, &done), peer());
}

PieceTime WorkerClient::measure(const std::string& stage, std::int64_t batch, const MeasureOptions& options) {
  Call call(*this, kLong);
  v1::MeasureRequest request;
  request.set_stage(stage);
  request.set_batch(batch);
  request.set_warm_up(options.warm_up);
  request.set_repeats(options.repeats);
  request.set_pause_microseconds(static_cast<int>(options.pause.count()));
  request.set_steady_milliseconds(static_cast<int>(options.steady.count()));
  v1::MeasureReply reply;
  throw_if_failed(stub_->Measure(call.context(), request, &reply), peer());
  return {reply.median(),           reply.p10(),          reply.p90(),
          reply.activation_bytes(), reply.weight_bytes(), reply.steady()};
}

LinkTimes WorkerClient::measure_link(const std::string& to, int pings, double seconds,
                                     std::chrono::microseconds pause) {
  Call call(*this, kLong);
  v1::LinkRequest request;
  request.set_address(to);
  request.set_pings(pings);
  request.set_seconds(seconds);
  request.set_pause_microseconds(static_cast<int>(pause.count()));
  v1::LinkReply reply;
  throw_if_failed(stub_->MeasureLink(call.context(), request, &reply), peer());
  return {{reply.round_trip_min(), reply.round_trip_mean(), reply.round_trip_max(), reply.bandwidth()},
          {reply.send(), reply.send_byte(), reply.receive(), reply.receive_byte()}};
}

WireTime WorkerClient::measure_wire(WireFormat format, std::uint64_t bytes) {
  Call call(*this, kLong);
  v1::WireRequest request;
  request.set_format(std::string(to_string(format)));
  request.set_bytes(bytes);
  v1::WireReply reply;
  throw_if_failed(stub_->MeasureWire(call.context(), request, &reply), peer());
  return {reply.narrow_seconds(), reply.widen_seconds(), reply.bytes()};
}

void WorkerClient::connect(const v1::ConnectRequest& request) {
  Call call(*this, kLong);
  v1::Done done;
  throw_if_failed(stub_->Connect(call.context(), request, &done), peer());
}

void WorkerClient::keep(const std::vector<std::uint64_t>& pipelines, const std::vector<std::string>& stages,
                        std::chrono::milliseconds limit) {
  Call call(*this, limit);
  v1::KeepRequest request;
  for (const std::uint64_t pipeline : pipelines) request.add_pipelines(pipeline);
  for (const std::string& stage : stages) request.add_stages(stage);
  v1::Done done;
  throw_if_failed(stub_->Keep(call.context(), request, &done), peer());
}

void WorkerClient::cancel(std::uint64_t pipeline, std::uint64_t request_number) {
  Call call(*this, kShort);
  v1::CancelRequest request;
  request.set_pipeline(pipeline);
  request.set_request(request_number);
  v1::Done done;
  throw_if_failed(stub_->Cancel(call.context(), request, &done), peer());
}

v1::CheckReply WorkerClient::check(std::uint64_t pipeline, std::uint32_t slot,
                                   std::chrono::milliseconds limit) {
  Call call(*this, limit);
  v1::CheckRequest request;
  request.set_pipeline(pipeline);
  request.set_slot(slot);
  v1::CheckReply reply;
  throw_if_failed(stub_->Check(call.context(), request, &reply), peer());
  return reply;
}

}  // namespace lamina
