#include "cluster/worker_measures.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "cluster/data_path.h"
#include "cluster/link_measure.h"
#include "cluster/process_memory.h"
#include "profile/measure.h"
#include "profile/wire_measure.h"

#include <algorithm>
#include <chrono>

namespace lamina {

namespace {

constexpr std::uint64_t kMaxWireBytes = std::uint64_t{1} << 30U;
constexpr int kMaxPings = 100'000;
constexpr int kMaxSteadyMilliseconds = 10'000;
constexpr int kMaxRuns = 100'000;
constexpr int kMaxPause = 1'000'000;  // microseconds
constexpr double kMaxLinkSeconds = 60;

std::chrono::microseconds pause_of(int microseconds) {
  return std::chrono::microseconds(std::clamp(microseconds, 0, kMaxPause));
}

}  // namespace

void measure_stage(const LoadedStage& stage, const v1::MeasureRequest& request, v1::MeasureReply& reply) {
  const std::int64_t batch = std::max<std::int64_t>(request.batch(), 1);
  const PieceTime time = measure_runs(*stage.executable, random_inputs(stage.signature, batch, 1),
                                      {.warm_up = std::clamp(request.warm_up(), 0, kMaxRuns),
                                       .repeats = std::clamp(request.repeats(), 1, kMaxRuns),
                                       .pause = pause_of(request.pause_microseconds()),
                                       .steady = std::chrono::milliseconds(std::clamp(
                                           request.steady_milliseconds(), 0, kMaxSteadyMilliseconds))});
  reply.set_median(time.median);
  reply.set_p10(time.p10);
  reply.set_p90(time.p90);
  reply.set_weight_bytes(time.weight_bytes);
  reply.set_activation_bytes(time.activation_bytes);
  reply.set_steady(time.steady);
}

void measure_link_to(const v1::LinkRequest& request, const TlsFiles& tls, v1::LinkReply& reply) {
  DataLink link(request.address(), tls, nullptr);
  const double seconds = std::clamp(request.seconds(), 0.0, kMaxLinkSeconds);
  const LinkTimes times =
      measure_link(link, std::clamp(request.pings(), 1, kMaxPings),
                   std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)),
                   pause_of(request.pause_microseconds()));
  reply.set_round_trip_min(times.link.round_trip_min);
  reply.set_round_trip_mean(times.link.round_trip_mean);
  reply.set_round_trip_max(times.link.round_trip_max);
  reply.set_bandwidth(times.link.bandwidth);
  reply.set_send(times.messages.send);
  reply.set_send_byte(times.messages.send_byte);
  reply.set_receive(times.messages.receive);
  reply.set_receive_byte(times.messages.receive_byte);
}

void measure_wire_format(const v1::WireRequest& request, std::uint64_t memory, v1::WireReply& reply) {
  const WireFormat format = wire_format_from_string(request.format(), "measuring a wire format");
  if (request.bytes() > kMaxWireBytes) {
    fail(ErrorCode::invalid_argument, "{} of values to measure a wire format with, expected at most {}",
         format_bytes(request.bytes()), format_bytes(kMaxWireBytes));
  }
  // The values, narrow and wide again.
  const std::uint64_t free = free_memory(memory);
  if (3 * request.bytes() > free) {
    fail(ErrorCode::out_of_memory, "measuring a wire format with {} needs three times as much, {} are free",
         format_bytes(request.bytes()), format_bytes(free));
  }
  const WireTime time = measure_wire(format, request.bytes());
  reply.set_narrow_seconds(time.narrow);
  reply.set_widen_seconds(time.widen);
  reply.set_bytes(time.bytes);
}

}  // namespace lamina
