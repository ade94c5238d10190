#include "cluster/worker_server.h"

#include "base/background.h"
#include "base/error.h"
#include "base/log.h"
#include "base/processor_clock.h"
#include "cluster/blob_store.h"
#include "cluster/data_path.h"
#include "cluster/listener.h"
#include "cluster/process_memory.h"
#include "cluster/slot.h"
#include "cluster/slot_links.h"
#include "cluster/stage_loader.h"
#include "cluster/status.h"
#include "cluster/worker_measures.h"
#include "cluster/workload.h"
#include "worker.grpc.pb.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <string>
#include <utility>

#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <sched.h>

namespace lamina {

namespace {

constexpr std::uint64_t kMaxBlobBytes = std::uint64_t{64} << 30U;

// That this process may use.
int count_processors() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;
}

void fail_if_cancelled(const grpc::ServerContext& context) {
  if (context.IsCancelled()) fail(ErrorCode::cancelled, "the head has given this up");
}

}  // namespace

class WorkerServer::Implementation final : public v1::Worker::Service {
 public:
  explicit Implementation(WorkerOptions options)
      : options_(std::move(options)),
        engine_(options_.loaded_engine ? options_.loaded_engine : load_engine(options_.engine)),
        blobs_(options_.store, {.bytes = options_.store_bytes}),
        loader_(engine_, blobs_, options_.threads, options_.memory),
        data_([this](Frame frame) { receive(std::move(frame)); }, options_.max_frame_bytes) {
    listener_ = listen_at(options_.listen, options_.tls, options_.max_frame_bytes, {this, &data_},
                          fmt::format("worker '{}'", options_.name));
  }

  ~Implementation() override { shutdown(std::chrono::milliseconds(0)); }

  const std::string& address() const { return listener_.address; }

  void shutdown(std::chrono::milliseconds drain) {
    workload_.close();  // streams never end by themselves, so what waits in slots is closed first
    listener_.server->Shutdown(std::chrono::system_clock::now() + drain);
    listener_.server->Wait();
  }

  grpc::Status Describe(grpc::ServerContext*, const v1::DescribeRequest* request,
                        v1::Description* reply) override {
    return guard([&] {
      if (request->protocol() != kProtocolVersion) {
        fail(ErrorCode::unsupported, "worker '{}' speaks version {} of the protocol, not {}", options_.name,
             kProtocolVersion, request->protocol());
      }
      reply->set_protocol(kProtocolVersion);
      reply->set_name(options_.name);
      reply->set_threads(options_.threads);
      reply->set_memory(options_.memory);
      reply->set_free_memory(free_memory(options_.memory));
      reply->set_processors(count_processors());
      reply->set_processor_seconds(processor_seconds());
      reply->set_engine(engine_->name() + " " + engine_->version());
    });
  }

  grpc::Status FindMissing(grpc::ServerContext*, const v1::BlobList* request, v1::BlobList* reply) override {
    return guard([&] {
      for (const std::string& hash : request->sha256()) {
        if (!blobs_.has(hash)) reply->add_sha256(hash);
      }
    });
  }

  grpc::Status PutBlobs(grpc::ServerContext*, grpc::ServerReader<v1::BlobChunk>* stream, v1::Done*) override {
    return guard([&] {
      v1::BlobChunk chunk;
      std::unique_ptr<BlobStore::Writer> writer;
      std::string current;
      std::uint64_t size = 0;
      while (stream->Read(&chunk)) {
        if (!writer) {
          current = chunk.sha256();
          size = 0;
          writer = std::make_unique<BlobStore::Writer>(blobs_, current);
        }
        size += chunk.data().size();
        if (chunk.sha256() != current || size > kMaxBlobBytes) {
          fail(ErrorCode::corrupt, "a chunk of blob {} among those of {}", chunk.sha256(), current);
        }
        writer->append(std::as_bytes(std::span(chunk.data())));
        if (chunk.last()) {
          writer->finish();
          writer.reset();
        }
      }
      if (writer) fail(ErrorCode::corrupt, "blob {} breaks off", current);
    });
  }

  grpc::Status Load(grpc::ServerContext* context, const v1::LoadRequest* request,
                    v1::LoadReply* reply) override {
    return guard([&] {
      // Asked first: another may be loading, for a plan that was given up meanwhile.
      if (reply_if_loaded(*request, *reply)) return;
      // One after another: what one takes of the memory the next has to know.
      const std::lock_guard loading(load_mutex_);
      fail_if_cancelled(*context);
      if (reply_if_loaded(*request, *reply)) return;
      // Beside stages that serve it may take its time.
      const auto compile = [&] { return loader_.load(*request); };
      const std::shared_ptr<LoadedStage> stage =
          workload_.has_slots() ? run_in_background(compile) : compile();
      *reply = stage->cost;
      fail_if_cancelled(*context);
      workload_.add(request->stage(), stage);
    });
  }

  grpc::Status Unload(grpc::ServerContext*, const v1::StageName* request, v1::Done*) override {
    return guard([&] { workload_.unload(request->stage()); });
  }

  grpc::Status Keep(grpc::ServerContext*, const v1::KeepRequest* request, v1::Done*) override {
    return guard([&] {
      workload_.keep_only({request->pipelines().begin(), request->pipelines().end()},
                          {request->stages().begin(), request->stages().end()});
    });
  }

  grpc::Status Measure(grpc::ServerContext*, const v1::MeasureRequest* request,
                       v1::MeasureReply* reply) override {
    return guard([&] { measure_stage(*workload_.stage(request->stage()), *request, *reply); });
  }

  grpc::Status MeasureLink(grpc::ServerContext*, const v1::LinkRequest* request,
                           v1::LinkReply* reply) override {
    return guard([&] { measure_link_to(*request, options_.tls, *reply); });
  }

  grpc::Status MeasureWire(grpc::ServerContext*, const v1::WireRequest* request,
                           v1::WireReply* reply) override {
    return guard([&] { measure_wire_format(*request, options_.memory, *reply); });
  }

  grpc::Status Connect(grpc::ServerContext* context, const v1::ConnectRequest* request, v1::Done*) override {
    return guard([&] {
      if (request->slot() == 0) fail(ErrorCode::invalid_argument, "slot 0 is the head's");
      const std::shared_ptr<LoadedStage> stage = workload_.stage(request->stage());
      SlotRoute route = route_of(*request, stage->signature, options_.name);
      SlotLinks links = connect_slot(*request, stage->signature, options_.name, options_.tls);
      fail_if_cancelled(*context);
      workload_.add(std::make_shared<Slot>(std::move(route), stage->executable, std::move(links.consumers),
                                           std::move(links.head)));
    });
  }

  grpc::Status Cancel(grpc::ServerContext*, const v1::CancelRequest* request, v1::Done*) override {
    return guard([&] { workload_.cancel(request->pipeline(), request->request()); });
  }

  grpc::Status Check(grpc::ServerContext*, const v1::CheckRequest* request, v1::CheckReply* reply) override {
    return guard([&] {
      const std::shared_ptr<Slot> slot = workload_.slot(request->pipeline(), request->slot());
      reply->set_loaded(slot != nullptr);
      reply->set_connected(slot != nullptr && slot->connected());
      if (slot) reply->set_forward_address(slot->forward_address());
    });
  }

 private:
  bool reply_if_loaded(const v1::LoadRequest& request, v1::LoadReply& reply) const {
    const std::shared_ptr<LoadedStage> stage = workload_.find(request);
    if (stage) reply = stage->cost;
    return stage != nullptr;
  }

  // Runs a call and turns what it throws into a status that names this worker.
  template <typename Call>
  grpc::Status guard(Call call) {
    try {
      call();
      return grpc::Status::OK;
    } catch (const Error& error) {
      return to_status(Error(error.code(), fmt::format("worker '{}': {}", options_.name, error.what())));
    } catch (const std::bad_alloc&) {
      return to_status(
          Error(ErrorCode::out_of_memory, fmt::format("worker '{}': out of memory", options_.name)));
    } catch (const std::exception& error) {
      return to_status(
          Error(ErrorCode::internal, fmt::format("worker '{}': {}", options_.name, error.what())));
    }
  }

  // Frames of a pipeline that is gone are dropped: its head has answered them.
  void receive(Frame frame) {
    if (const auto slot = workload_.slot(frame.header.pipeline(), frame.header.slot()))
      slot->receive(std::move(frame));
  }

  WorkerOptions options_;
  std::shared_ptr<Engine> engine_;
  BlobStore blobs_;
  StageLoader loader_;  // used by one call at a time, which holds load_mutex_
  DataService data_;
  std::mutex load_mutex_;  // held while a stage is loaded
  Workload workload_;
  Listener listener_;
};

WorkerServer::WorkerServer(WorkerOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {}

WorkerServer::~WorkerServer() = default;

const std::string& WorkerServer::address() const { return implementation_->address(); }

void WorkerServer::shutdown(std::chrono::milliseconds drain) { implementation_->shutdown(drain); }

}  // namespace lamina
