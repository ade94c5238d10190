// What a placement costs, as figures alone: no files, no processes, no model.
//
//   latency = Σ over stages (the device's wake + time of its pieces there) + Σ over hops (narrowing +
//   round_trip/2 + bytes/bandwidth + widening)
//
// What crosses a cut may travel in several wire formats, of those that the cut allows: where nothing else is
// said, in the one that is there soonest, which is best for the latency. Its bytes are those on the wire;
// narrowing is the sender's time, widening the receiver's.
//
// from the source through every stage and back to the source. Where two following pieces are on one device
// they form one stage and no hop lies between them. The way from the source to the first stage and from the
// last stage back to the source are hops too, also when that stage is on the source (a hop through its
// loopback). Memory of a stage: Σ weights of its pieces + the greatest activations among its pieces + its
// inputs that wait and its output. Memory of a device: Σ over its stages ≤ its budget.
//
//   period = the time between two answers with many requests under way: the busiest of all that a request
//   keeps busy. Each device computes one request at a time (Σ over its stages, steady times; a device at
//   work needs no waking; the thread that computes also widens what came and narrows what goes on), sends
//   one at a time and receives one at a time (Σ bytes/bandwidth over the hops from and to other devices; a
//   link carries both ways at once). A loopback is no shared link: each hop through it counts alone.
//   Requests and answers are the work of the source's front end, a process of its own: narrowing requests
//   keeps its sending busy, widening answers its receiving.
//
//   Messages take processors too, in threads beside the one that computes. Where a device has more
//   processors than computing uses they cost the period nothing. Where it has not (a quota, or threads bound
//   to as many processors) all that its worker does has to fit into them:
//
//     period ≥ (min(threads, processors) · computing + widening + narrowing + messages) / processors
//
//   Under a quota steady times hold its pauses already, so computing counts in full and messages as often
//   longer as the quota is less than a processor. The latency needs no such term: what a lone message takes
//   of processors is in the measured round trip and bandwidth.
//
// A block of branches runs as its pieces, one after another, or as stages beside each other:
// plan/branch_cost.h.
//
// A stage may run on several devices, its replicas, each with a share of the requests: then times, hops and
// what keeps a device busy are means over the shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace lamina {

// Requests that wait for a stage on its worker; those behind them wait where they come from.
constexpr std::uint64_t kWaitingRequests = 4;

// What a wire format takes on a device, seconds a byte of the values that it makes narrow.
struct WireSeconds {
  double narrow = 0;
  double widen = 0;
  bool operator==(const WireSeconds&) const = default;
};

// What messages take, seconds of one processor.
struct MessageSeconds {
  double send = 0;  // a message, however short
  double send_byte = 0;
  double receive = 0;
  double receive_byte = 0;
  bool operator==(const MessageSeconds&) const = default;
};

struct PlanDevice {
  std::string name;
  std::uint64_t memory_budget = 0;      // bytes
  double wake = 0;                      // seconds that each stage takes besides its pieces
  bool required = false;                // a placement has to use it
  std::vector<WireSeconds> wires = {};  // by wire of the problem
  double threads = 1;                   // that compute
  double processors = 0;                // that its worker has; 0: more than it can use
  MessageSeconds messages = {};
};

struct PlanPiece {
  std::string name;
};

// One piece on one device. Infinite time: it can't run there, or a constraint forbids it.
struct PieceCost {
  double seconds = 0;
  std::uint64_t weight_bytes = 0;
  std::uint64_t activation_bytes = 0;
  // Of runs one right after another, as at the highest rate, where they differ from those after idleness: a
  // quota of processor time is felt only then.
  std::optional<double> steady = {};
  double load = 0;  // seconds in which the engine makes it ready
  double busy_seconds() const { return steady.value_or(seconds); }
};

struct LinkCost {
  double round_trip = 0;                                                // seconds
  double bandwidth = 0;                                                 // bytes a second
  std::uint64_t max_bytes = std::numeric_limits<std::uint64_t>::max();  // that a hop may carry
};

// A format in which what crosses cuts may travel.
struct PlanWire {
  std::string format;                 // its name: "bf16"
  std::vector<std::uint64_t> bytes;   // by cut: on the wire
  std::vector<std::uint64_t> values;  // by cut: bytes of the values that are made narrow
  std::vector<bool> allowed;          // by cut
  // By cut, how far answers come to be, relative to the largest output; empty where it was not measured.
  std::vector<double> difference = {};
};

// Layers of a block that need nothing of its other branches.
struct PlanBranch {
  std::string name;
  std::vector<std::string> layers = {};  // their names, for constraints
  std::vector<std::size_t> inputs;       // which of the block's inputs it uses
  std::uint64_t output_bytes = 0;
  std::vector<PieceCost> cost;  // by device
};

// Pieces that may run as branches on several devices at once. Between two blocks lies a piece at least.
struct PlanBlock {
  std::size_t first_piece = 0;  // pieces [first_piece, end_piece)
  std::size_t end_piece = 0;
  std::vector<std::uint64_t> input_bytes;  // of each tensor that branches use
  std::uint64_t direct_bytes = 0;          // that cross the block unused or to be used again
  std::vector<PlanBranch> branches;
};

struct PlacementProblem {
  std::vector<PlanDevice> devices;
  std::vector<PlanPiece> pieces;
  std::vector<std::uint64_t> cut_bytes;  // pieces.size() + 1: crossing before piece k; the last is the output
  std::vector<std::vector<PieceCost>> cost;  // [device][piece]
  std::vector<std::vector<LinkCost>> links;  // [from][to], [i][i] included
  std::size_t source = 0;                    // index of the device where requests enter and answers leave
  std::uint64_t waiting_inputs = 1;          // inputs that a stage holds at once
  std::vector<PlanWire> wires = {};          // none: everything travels as it is
  std::vector<PlanBlock> blocks = {};        // in order
};

struct Replica {
  std::size_t device = 0;
  double share = 1;          // of the requests
  std::uint64_t memory = 0;  // bytes
};

struct PlacedStage {
  std::vector<Replica> replicas;
  std::size_t first_piece = 0;  // pieces [first_piece, end_piece)
  std::size_t end_piece = 0;
  double seconds = 0;  // predicted time of the stage
  // Predicted time of the hop into it: from the end of the last stage that sends to it.
  double hop_seconds = 0;
  std::optional<std::size_t> wire = {};  // of that hop; nothing until it is chosen
  // Of the block of these pieces; none: the pieces run one after another. Stages of one block follow each
  // other in the order in which they are sent to.
  std::vector<std::size_t> branches = {};
  double begin = 0;  // predicted seconds from the request's start to the stage's
};

// What a request keeps busy of a device, seconds.
struct DeviceLoad {
  double computing = 0;
  double processors = 0;  // all of them
  double sending = 0;
  double receiving = 0;
};

struct Placement {
  std::vector<PlacedStage> stages;
  std::vector<DeviceLoad> loads;  // by device
  double return_seconds = 0;      // predicted time of the hop from the last stage to the source
  std::size_t return_wire = 0;    // of that hop
  double latency = 0;             // seconds, all of the above
  double period = 0;              // seconds between two answers at most requests a second
};

// Of a problem's wires; at least one, in which everything travels as it is.
std::size_t wire_count(const PlacementProblem& problem);
bool may_travel(const PlacementProblem& problem, std::size_t wire, std::size_t cut);
std::uint64_t wire_bytes(const PlacementProblem& problem, std::size_t wire, std::size_t cut);
// Seconds on a device.
double narrow_seconds(const PlacementProblem& problem, std::size_t device, std::size_t wire, std::size_t cut);
double widen_seconds(const PlacementProblem& problem, std::size_t device, std::size_t wire, std::size_t cut);

// What crosses a cut on its way from one device to another. All that a hop costs is said here, in seconds.
struct HopCost {
  std::size_t wire = 0;
  double trip = 0;    // keeps nobody busy: half a round trip
  double narrow = 0;  // of the sender
  // That the link is busy; infinite where it has no bandwidth or may not carry so much.
  double transfer = 0;
  double widen = 0;  // of the receiver
  double seconds() const { return trip + narrow + transfer + widen; }
};
// Of so many bytes as they are.
HopCost hop_cost(const LinkCost& link, std::uint64_t bytes);
// In the wire that is there soonest, the first of equals.
HopCost hop_cost(const PlacementProblem& problem, std::size_t from, std::size_t to, std::size_t cut);
// The mean over the shares of all senders and receivers, which use one wire: the soonest, or the one given.
HopCost mean_hop_cost(const PlacementProblem& problem, const std::vector<Replica>& from,
                      const std::vector<Replica>& to, std::size_t cut,
                      std::optional<std::size_t> wire = std::nullopt);

// What a part of a stage keeps busy of its device, seconds: of the thread that computes, of all processors.
struct StageWork {
  double computing = 0;
  double processors = 0;
};
StageWork compute_work(const PlanDevice& device, const PieceCost& cost);
StageWork piece_work(const PlacementProblem& problem, std::size_t device, std::size_t piece);
// Of a message of so many bytes, seconds of all the device's processors; 0 where it has plenty.
double sending_processors(const PlanDevice& device, std::uint64_t bytes);
double receiving_processors(const PlanDevice& device, std::uint64_t bytes);
StageWork input_work(const PlacementProblem& problem, std::size_t device, std::size_t wire, std::size_t cut);
StageWork output_work(const PlacementProblem& problem, std::size_t device, std::size_t wire, std::size_t cut);

// Leaves a device out: nothing can run there any more.
void forbid_device(PlacementProblem& problem, std::size_t device);

// All that the device computes takes so many times as long.
void slow_down(PlacementProblem& problem, std::size_t device, double times);

// What a stage takes on a device at most, whoever else runs it: after idleness or with many requests under
// way.
double seconds_on(const PlacementProblem& problem, const PlacedStage& stage, std::size_t device);

// The bytes that a stage of pieces [first, end) takes on a device.
std::uint64_t stage_memory(const PlacementProblem& problem, std::size_t device, std::size_t first,
                           std::size_t end);

// Fills in times, memory, latency and period for stages with their replicas and shares, and wires where none
// is given. Does not check memory.
Placement evaluate_stages(const PlacementProblem& problem, std::vector<PlacedStage> stages,
                          std::optional<std::size_t> return_wire = std::nullopt);
// The same for pieces assigned to devices (device_of[piece]).
Placement evaluate(const PlacementProblem& problem, const std::vector<std::size_t>& device_of);

// Whether the placement has a stage on the device.
bool uses(const Placement& placement, std::size_t device);
// The memory that it takes of each device, bytes.
std::vector<std::uint64_t> memory_of_devices(const PlacementProblem& problem, const Placement& placement);
// Of a request's time, what passes on the device: its pieces and waking, by its share of requests.
double device_seconds(const PlacementProblem& problem, const Placement& placement, std::size_t device);

// How long it takes until the placement can serve where no machine has anything of it: all machines at once,
// each gets the weights of one stage after another from the source and makes it ready, as the head does it.
double load_seconds(const PlacementProblem& problem, const Placement& placement);
// The same of one piece or branch on its device. Infinite where it can't run there.
double load_seconds(const PlacementProblem& problem, std::size_t device, const PieceCost& cost);

// Whether every device's memory suffices, every piece can run where it is, and all required devices are used.
bool is_feasible(const PlacementProblem& problem, const Placement& placement);

}  // namespace lamina
