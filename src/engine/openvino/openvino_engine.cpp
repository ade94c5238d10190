// The engine: compiles lowered graphs on OpenVINO's CPU plugin and runs them.
#include "base/error.h"
#include "base/file.h"
#include "engine/engine.h"
#include "engine/openvino/lowering.h"
#include "engine/plugin.h"
#include "graph/liveness.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include <openvino/openvino.hpp>
#include <sched.h>

namespace lamina::openvino {

namespace {

int available_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof(set), &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

// Turns what OpenVINO throws into our errors. oneDNN reports memory it can't have as a text.
[[noreturn]] void rethrow(const std::string& doing, const std::exception& error) {
  const std::string what = error.what();
  for (const char* sign :
       {"bad_alloc", "out of memory", "ould not allocate", "ailed to allocate", "out_of_memory"}) {
    if (what.find(sign) != std::string::npos) fail(ErrorCode::out_of_memory, "out of memory while {}", doing);
  }
  fail(ErrorCode::internal, "the engine openvino failed while {}: {}", doing, what);
}

// The model compiled for one batch size (0: for any), with requests that threads take turns to use.
class Compiled {
 public:
  Compiled(ov::Core& core, const Graph& graph, const CompileOptions& options, std::int64_t batch) {
    const std::shared_ptr<ov::Model> model = Lowering(graph, batch).run();
    const int threads = options.threads > 0 ? options.threads : available_cpus();
    model_ = core.compile_model(
        model, "CPU", ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
        ov::inference_num_threads(threads), ov::num_streams(1), ov::hint::enable_cpu_pinning(false),
        ov::hint::inference_precision(options.precision == Precision::bf16 ? ov::element::bf16
                                                                           : ov::element::f32));
    for (int i = 0; i < std::max(1, options.concurrency); ++i) idle_.push_back(model_.create_infer_request());
  }

  // A request for the time of one run.
  class Lease {
   public:
    explicit Lease(Compiled& owner) : owner_(owner) {
      std::unique_lock lock(owner.mutex_);
      owner.freed_.wait(lock, [&] { return !owner.idle_.empty(); });
      request_ = std::move(owner.idle_.back());
      owner.idle_.pop_back();
    }
    ~Lease() {
      const std::lock_guard lock(owner_.mutex_);
      owner_.idle_.push_back(std::move(request_));
      owner_.freed_.notify_one();
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ov::InferRequest& request() { return request_; }

   private:
    Compiled& owner_;
    ov::InferRequest request_;
  };

 private:
  ov::CompiledModel model_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<ov::InferRequest> idle_;
};

ov::Shape to_ov(const Shape& shape) { return {shape.begin(), shape.end()}; }

class OpenVinoExecutable : public Executable {
 public:
  OpenVinoExecutable(std::shared_ptr<ov::Core> core, const Graph& graph, const CompileOptions& options)
      : core_(std::move(core)), graph_(graph), options_(options), signature_(signature_of(graph)) {
    for (const Weight& weight : graph.weights()) memory_.weights += weight.data.data().size();
    memory_.activations = peak_activation_bytes(graph, options.batch);
    computes_ = std::any_of(graph.outputs().begin(), graph.outputs().end(),
                            [&](const Port& output) { return !passes_through(graph, output); });
    if (computes_) expected_ = compile(options.batch);
  }

  std::vector<Tensor> run(std::span<const Tensor> inputs) override {
    const std::int64_t batch = check_inputs(signature_, inputs);
    std::vector<Tensor> outputs(signature_.outputs.size());
    if (computes_) {
      try {
        infer(batch, inputs, outputs);
      } catch (const Error&) {
        throw;
      } catch (const std::bad_alloc&) {
        fail(ErrorCode::out_of_memory, "out of memory while running '{}' with a batch of {}", graph_.name(),
             batch);
      } catch (const std::exception& error) {
        rethrow(fmt::format("running '{}' with a batch of {}", graph_.name(), batch), error);
      }
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Value& value = graph_.values()[origin_of(graph_, graph_.outputs()[i].value)];
      if (value.kind == Value::Kind::input) outputs[i] = inputs[value.source];
    }
    return outputs;
  }

  MemoryUse memory() const override { return memory_; }

 private:
  std::shared_ptr<Compiled> compile(std::int64_t batch) {
    auto compiled = std::make_shared<Compiled>(*core_, graph_, options_, batch);
    for (const Weight& weight : graph_.weights()) release_pages(weight.data.data());
    return compiled;
  }

  // The batch size that was expected has a model of its own; all others share one whose batch size is open.
  std::shared_ptr<Compiled> compiled_for(std::int64_t batch) {
    if (batch == options_.batch) return expected_;
    const std::lock_guard lock(mutex_);
    if (!any_batch_) any_batch_ = compile(0);
    return any_batch_;
  }

  void infer(std::int64_t batch, std::span<const Tensor> inputs, std::vector<Tensor>& outputs) {
    const std::shared_ptr<Compiled> compiled = compiled_for(batch);
    Compiled::Lease lease(*compiled);
    std::vector<Buffer> aligned;  // alive until the run has ended
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Buffer data = inputs[i].data();
      if (reinterpret_cast<std::uintptr_t>(data.data()) % 64 != 0) data = Buffer::copy(data.bytes());
      aligned.push_back(data);
      lease.request().set_input_tensor(i,
                                       ov::Tensor(element_type(inputs[i].dtype()), to_ov(inputs[i].shape()),
                                                  const_cast<std::byte*>(data.data())));
    }
    std::size_t result = 0;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Port& port = graph_.outputs()[i];
      if (passes_through(graph_, port)) continue;
      const TensorType& type = signature_.outputs[i].type;
      const TensorType concrete{type.dtype, at_batch(type.shape, batch)};
      const std::size_t size = byte_size(concrete, 1);
      auto block = allocate_bytes(size);
      lease.request().set_output_tensor(
          result++, ov::Tensor(element_type(type.dtype), to_ov(concrete.shape), block.get()));
      outputs[i] = Tensor(concrete, Buffer::take(std::move(block), size));
    }
    lease.request().infer();
  }

  std::shared_ptr<ov::Core> core_;
  Graph graph_;  // its weights are shared, and where they are mapped cost no memory
  CompileOptions options_;
  Signature signature_;
  MemoryUse memory_;
  bool computes_ = false;
  std::shared_ptr<Compiled> expected_;
  std::mutex mutex_;
  std::shared_ptr<Compiled> any_batch_;  // guarded by mutex_
};

class OpenVinoEngine : public Engine {
 public:
  OpenVinoEngine() : core_(std::make_shared<ov::Core>()) {}

  std::string name() const override { return "openvino"; }
  std::string version() const override { return ov::get_openvino_version().buildNumber; }

  bool supports(Precision precision) const override {
    if (precision == Precision::f32) return true;
    const auto capabilities = core_->get_property("CPU", ov::device::capabilities);
    return std::find(capabilities.begin(), capabilities.end(), ov::device::capability::BF16) !=
           capabilities.end();
  }

  std::unique_ptr<Executable> compile(const Graph& graph, const CompileOptions& options) override {
    if (options.precision == Precision::bf16 && !supports(Precision::bf16)) {
      fail(ErrorCode::unsupported, "this processor does not compute in bf16");
    }
    const std::string doing = fmt::format("preparing '{}'", graph.name());
    try {
      return std::make_unique<OpenVinoExecutable>(core_, graph, options);
    } catch (const Error&) {
      throw;
    } catch (const std::bad_alloc&) {
      fail(ErrorCode::out_of_memory, "out of memory while {}", doing);
    } catch (const std::exception& error) {
      rethrow(doing, error);
    }
  }

 private:
  std::shared_ptr<ov::Core> core_;
};

}  // namespace

}  // namespace lamina::openvino

extern "C" const char* lamina_engine_abi() { return lamina::kEngineAbi; }
extern "C" lamina::Engine* lamina_engine_create() {
  return std::make_unique<lamina::openvino::OpenVinoEngine>().release();
}
