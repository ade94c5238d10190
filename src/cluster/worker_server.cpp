#include "cluster/worker_server.h"

#include "base/background.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/processor_clock.h"
#include "cluster/blob_store.h"
#include "cluster/data_path.h"
#include "cluster/listener.h"
#include "cluster/pipeline_number.h"
#include "cluster/process_memory.h"
#include "cluster/slot.h"
#include "cluster/stage_loader.h"
#include "cluster/status.h"
#include "cluster/worker_measures.h"
#include "worker.grpc.pb.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <thread>
#include <utility>

#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <sched.h>

namespace lamina {

namespace {

constexpr std::uint64_t kMaxBlobBytes = std::uint64_t{64} << 30U;
// A place that does not answer in this time, or in two silences, is not there. Overlays of containers take
// seconds until all know the way to a new one.
constexpr std::chrono::seconds kLeastEchoLimit{10};
constexpr std::chrono::seconds kMostEchoLimit{20};

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
    // Streams never end by themselves, so what waits in slots is closed first.
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [key, slot] : slots_) slot->close();
      slots_.clear();
    }
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
      const std::shared_ptr<LoadedStage> stage = serves() ? run_in_background(compile) : compile();
      *reply = stage->cost;
      fail_if_cancelled(*context);
      const std::lock_guard lock(mutex_);
      stages_[request->stage()] = stage;
    });
  }

  grpc::Status Unload(grpc::ServerContext*, const v1::StageName* request, v1::Done*) override {
    return guard([&] {
      end_slots([&](const Slot& slot) { return slot.route().stage == request->stage(); },
                [&](const std::string& stage) { return stage == request->stage(); });
    });
  }

  grpc::Status Keep(grpc::ServerContext*, const v1::KeepRequest* request, v1::Done*) override {
    return guard([&] {
      const std::set<std::uint64_t> pipelines(request->pipelines().begin(), request->pipelines().end());
      const std::set<std::string> stages(request->stages().begin(), request->stages().end());
      end_slots([&](const Slot& slot) { return !pipelines.contains(slot.route().pipeline); },
                [&](const std::string& stage) { return !stages.contains(stage); });
    });
  }

  grpc::Status Measure(grpc::ServerContext*, const v1::MeasureRequest* request,
                       v1::MeasureReply* reply) override {
    return guard([&] { measure_stage(*find_stage(request->stage()), *request, *reply); });
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
      const std::shared_ptr<LoadedStage> stage = find_stage(request->stage());
      const SlotRoute route{options_.name,
                            request->pipeline(),
                            request->slot(),
                            request->stage(),
                            std::max<std::size_t>(request->queue(), 1),
                            parts_of(*request, stage->signature)};
      const auto broken = [name = options_.name](const Error& error) {
        spdlog::warn("worker '{}': {}", name, error.what());
      };
      const std::chrono::milliseconds silence(request->silence_milliseconds());
      const std::chrono::milliseconds limit = answer_limit(*request);
      const std::vector<SlotConsumer> consumers = connect_to(*request, stage->signature, broken);
      std::shared_ptr<DataLink> head;
      // All ends answer before the slot counts as connected.
      for (const SlotConsumer& consumer : consumers) {
        for (const NextSlot& place : consumer.places) {
          place.link->echo({}, limit);
          if (place.slot == 0) head = place.link;
        }
      }
      if (!head) {
        head = std::make_shared<DataLink>(request->head_address(), options_.tls, broken, silence);
        head->echo({}, limit);
      }
      fail_if_cancelled(*context);
      auto slot = std::make_shared<Slot>(route, stage->executable, consumers, std::move(head));
      std::vector<std::shared_ptr<Slot>> ended;  // destroyed after the lock: they wait for their threads
      const std::lock_guard lock(mutex_);
      // Another head takes over this worker from the one before.
      std::erase_if(slots_, [&](auto& entry) {
        const bool other = head_of(entry.first.first) != head_of(request->pipeline());
        if (other) ended.push_back(entry.second);
        return other;
      });
      auto& place = slots_[{request->pipeline(), request->slot()}];
      if (place) ended.push_back(place);
      place = std::move(slot);
      for (const auto& one : ended) one->close();
    });
  }

  grpc::Status Cancel(grpc::ServerContext*, const v1::CancelRequest* request, v1::Done*) override {
    return guard([&] {
      const std::lock_guard lock(mutex_);
      for (const auto& [key, slot] : slots_) {
        if (key.first == request->pipeline()) slot->cancel(request->request());
      }
    });
  }

  grpc::Status Check(grpc::ServerContext*, const v1::CheckRequest* request, v1::CheckReply* reply) override {
    return guard([&] {
      const std::shared_ptr<Slot> slot = find_slot(request->pipeline(), request->slot());
      reply->set_loaded(slot != nullptr);
      reply->set_connected(slot != nullptr && slot->connected());
      if (slot) reply->set_forward_address(slot->forward_address());
    });
  }

 private:
  bool serves() {
    const std::lock_guard lock(mutex_);
    return !slots_.empty();
  }

  bool reply_if_loaded(const v1::LoadRequest& request, v1::LoadReply& reply) {
    const std::lock_guard lock(mutex_);
    const auto found = stages_.find(request.stage());
    if (found == stages_.end() || found->second->precision != request.precision() ||
        found->second->batch != request.batch())
      return false;
    reply = found->second->cost;
    return true;
  }

  // Ends the slots and stages that are meant.
  template <typename IsSlot, typename IsStage>
  void end_slots(IsSlot is_slot, IsStage is_stage) {
    {
      std::vector<std::shared_ptr<Slot>> ended;  // destroyed after the lock: they wait for their threads
      const std::lock_guard lock(mutex_);
      std::erase_if(stages_, [&](const auto& entry) { return is_stage(entry.first); });
      std::erase_if(slots_, [&](auto& entry) {
        const bool meant = is_slot(*entry.second);
        if (meant) ended.push_back(entry.second);
        return meant;
      });
      for (const auto& one : ended) one->close();
    }
    return_freed_memory();
  }

  static std::chrono::milliseconds answer_limit(const v1::ConnectRequest& request) {
    if (request.answer_milliseconds() > 0) return std::chrono::milliseconds(request.answer_milliseconds());
    const std::chrono::milliseconds silence(request.silence_milliseconds());
    if (silence.count() == 0) return kMostEchoLimit;
    return std::clamp<std::chrono::milliseconds>(2 * silence, kLeastEchoLimit, kMostEchoLimit);
  }

  using Places = google::protobuf::RepeatedPtrField<v1::NextPlace>;
  using Broken = std::function<void(const Error&)>;

  // Which inputs come in which frame; none where all come in one.
  static Parts parts_of(const v1::ConnectRequest& request, const Signature& signature) {
    Parts parts;
    std::vector<bool> comes(signature.inputs.size(), false);
    for (const v1::Part& part : request.parts()) {
      parts.emplace_back();
      for (const std::uint32_t input : part.inputs()) {
        if (input >= comes.size() || comes[input]) {
          fail(ErrorCode::invalid_argument, "input {} comes twice or is none of {}", input, comes.size());
        }
        comes[input] = true;
        parts.back().push_back(input);
      }
    }
    if (!parts.empty() && std::count(comes.begin(), comes.end(), true) != std::ssize(comes))
      fail(ErrorCode::invalid_argument, "not all of {} inputs come", comes.size());
    return parts;
  }

  std::vector<SlotConsumer> connect_to(const v1::ConnectRequest& request, const Signature& signature,
                                       const Broken& broken) const {
    if (request.consumers().empty()) fail(ErrorCode::invalid_argument, "a slot whose results go nowhere");
    std::vector<SlotConsumer> consumers;
    for (const v1::Consumer& wanted : request.consumers()) {
      SlotConsumer& consumer = consumers.emplace_back();
      consumer.part = wanted.part();
      consumer.wire = wire_format_from_string(wanted.wire(), "connecting a slot");
      consumer.outputs.assign(wanted.outputs().begin(), wanted.outputs().end());
      for (const std::size_t output : consumer.outputs) {
        if (output >= signature.outputs.size())
          fail(ErrorCode::invalid_argument, "output {} of a stage with {}", output, signature.outputs.size());
      }
      consumer.places =
          connect_to(wanted.places(), broken, std::chrono::milliseconds(request.silence_milliseconds()));
    }
    return consumers;
  }

  std::vector<NextSlot> connect_to(const Places& places, const Broken& broken,
                                   std::chrono::milliseconds silence) const {
    double shares = 0;
    std::vector<NextSlot> next;
    for (const v1::NextPlace& place : places) {
      if (!(place.share() > 0))
        fail(ErrorCode::invalid_argument, "a share of {} for '{}', expected more than 0", place.share(),
             place.address());
      shares += place.share();
      next.push_back({place.slot(), place.share(),
                      std::make_shared<DataLink>(place.address(), options_.tls, broken, silence)});
    }
    if (!(std::abs(shares - 1) < 1e-6))
      fail(ErrorCode::invalid_argument, "{} next places with {} of the frames, expected all", next.size(),
           shares);
    return next;
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

  std::shared_ptr<LoadedStage> find_stage(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto found = stages_.find(name);
    if (found == stages_.end()) fail(ErrorCode::not_found, "stage {} is not loaded", name);
    return found->second;
  }

  std::shared_ptr<Slot> find_slot(std::uint64_t pipeline, std::uint32_t slot) {
    const std::lock_guard lock(mutex_);
    const auto found = slots_.find({pipeline, slot});
    return found == slots_.end() ? nullptr : found->second;
  }

  // Frames of a pipeline that is gone are dropped: its head has answered them.
  void receive(Frame frame) {
    if (const auto slot = find_slot(frame.header.pipeline(), frame.header.slot()))
      slot->receive(std::move(frame));
  }

  WorkerOptions options_;
  std::shared_ptr<Engine> engine_;
  BlobStore blobs_;
  StageLoader loader_;  // used by one call at a time, which holds load_mutex_
  DataService data_;
  std::mutex load_mutex_;  // held while a stage is loaded; taken before mutex_
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<LoadedStage>> stages_;                      // guarded by mutex_
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::shared_ptr<Slot>> slots_;  // guarded by mutex_
  Listener listener_;
};

WorkerServer::WorkerServer(WorkerOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {}

WorkerServer::~WorkerServer() = default;

const std::string& WorkerServer::address() const { return implementation_->address(); }

void WorkerServer::shutdown(std::chrono::milliseconds drain) { implementation_->shutdown(drain); }

}  // namespace lamina
