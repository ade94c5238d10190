// What was measured: time and memory of every piece on every device, round trip and bandwidth of every link.
// Kept as DIR/benchmark.json (docs/formats.md).
#pragma once

#include "base/json.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lamina {

// A machine that can run stages.
struct DeviceInfo {
  std::string name;
  std::string address;  // host:port of its worker; empty where Lamina starts it on this machine
  int threads = 0;
  std::uint64_t memory = 0;       // bytes its worker may use
  std::uint64_t free_memory = 0;  // bytes it had left when measured, idle worker running
  double cpus = 0;                // share of processors that its worker is held to, e.g. 0.6; 0: none
  int processors = 0;             // that its worker may use; 0: not known
};

struct PieceTime {
  double median = 0;                   // seconds of one run
  double p10 = 0;                      // a tenth of the runs were faster
  double p90 = 0;                      // a tenth were slower
  std::uint64_t activation_bytes = 0;  // peak of intermediate results while it runs, outputs included
  std::uint64_t weight_bytes = 0;      // what the engine keeps of its weights
  double steady = 0;                   // mean seconds of runs one right after another
  double load = 0;                     // seconds in which the engine made it ready
};

// One piece on one device. No time where it can't run there; then `failure` says why.
struct PieceMeasurement {
  std::optional<PieceTime> time;
  std::string failure;
};

// A link that could not be measured has no bandwidth, and `failure` says why.
struct Link {
  double round_trip_min = 0;  // seconds, for an empty message
  double round_trip_mean = 0;
  double round_trip_max = 0;
  double bandwidth = 0;  // bytes a second, one direction; 0: nothing can be sent
  std::string failure = {};
};

// What messages take on a device, seconds of one processor.
struct MessageTime {
  double send = 0;       // a message, however short …
  double send_byte = 0;  // … and each byte
  double receive = 0;
  double receive_byte = 0;
};

// What a wire format takes on a device, seconds a byte of float32 values, one thread.
struct FormatTime {
  std::string format;  // its name: "bf16"
  double narrow = 0;
  double widen = 0;
};

struct PieceInfo {
  std::string name;
  std::size_t begin = 0;  // positions of cuts
  std::size_t end = 0;
  std::uint64_t weight_bytes = 0;
};

struct BranchInfo {
  std::string name;
  std::vector<std::size_t> inputs;  // which of the block's inputs it uses
  std::uint64_t output_bytes = 0;   // for the batch, as all bytes of a block
  std::uint64_t weight_bytes = 0;
};

// Pieces that may also run as branches beside each other (slice/branches.h).
struct BlockInfo {
  std::size_t begin = 0;  // positions of cuts: where a piece begins and where one ends
  std::size_t end = 0;
  std::vector<std::uint64_t> input_bytes;  // of each tensor that branches use
  std::uint64_t direct_bytes = 0;          // of those that cross the whole block
  std::vector<BranchInfo> branches;
  std::vector<std::vector<PieceMeasurement>> measurements;  // [device][branch]
};

// What depends on the batch size.
struct BatchFigures {
  std::int64_t batch = 1;
  std::vector<std::uint64_t> cut_bytes;  // bytes crossing at each boundary for `batch`: pieces.size() + 1
  std::vector<std::vector<PieceMeasurement>> measurements;  // [device][piece]
  std::vector<BlockInfo> blocks;                            // in order, with a piece at least between two
  // Less `wake`, time of the whole model in one piece divided by the sum of its pieces' times, by device:
  // what fusion across pieces gains. 1 where the whole model can't run.
  std::vector<double> fusion;
  // The same of steady times, which hold no waking.
  std::vector<double> steady_fusion;
};

// The figures are those of the batch size that counts most.
struct Benchmark : BatchFigures {
  std::string model;               // the graph's name
  std::string model_hash;          // SHA-256 of DIR/model.json that was measured
  std::string engine;              // name and version
  double memory_multiplier = 0.8;  // share of free memory that plans may use
  std::vector<DeviceInfo> devices;
  std::vector<PieceInfo> pieces;
  // What a stage takes on a device besides its pieces, seconds: to wake threads and processor from their
  // sleep, measured as the time of a stage that computes next to nothing. The time of each piece holds it
  // too.
  std::vector<double> wake;
  std::vector<BatchFigures> other_batches;  // of other sizes, each once
  // links[from][to]; links[i][i] is the way from a device's own front end to its worker.
  std::vector<std::vector<Link>> links;
  std::vector<MessageTime> messages;             // by device
  std::vector<std::vector<FormatTime>> formats;  // by device
};

// The sizes that were measured, increasing.
std::vector<std::int64_t> batch_sizes(const Benchmark& benchmark);
// The benchmark with the figures of another size that was measured; Error(not_found) that lists them
// otherwise.
Benchmark at_batch(Benchmark benchmark, std::int64_t batch);

Json to_json(const DeviceInfo& device);
DeviceInfo device_from_json(const Json& json, const std::string& where);
Json to_json(const Benchmark& benchmark);
// Error(corrupt) naming `where`, and the device, piece or link, for anything that does not fit: missing,
// negative or non-finite figures. What is null, a piece on a device or a link, was never measured.
Benchmark benchmark_from_json(const Json& json, const std::string& where);
void save_benchmark(const std::filesystem::path& directory, const Benchmark& benchmark);
Benchmark load_benchmark(const std::filesystem::path& directory);

}  // namespace lamina
