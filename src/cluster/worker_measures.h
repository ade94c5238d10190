// What a worker measures when it is asked to: its stages, its links, its wire formats.
#pragma once

#include "cluster/security.h"
#include "cluster/stage_loader.h"
#include "worker.grpc.pb.h"

#include <cstdint>

namespace lamina {

// Counts and times that a caller asks for are cut to what a worker grants.
void measure_stage(const LoadedStage& stage, const v1::MeasureRequest& request, v1::MeasureReply& reply);
void measure_link_to(const v1::LinkRequest& request, const TlsFiles& tls, v1::LinkReply& reply);
// Error(out_of_memory) where the values don't fit `memory`, 0: no limit.
void measure_wire_format(const v1::WireRequest& request, std::uint64_t memory, v1::WireReply& reply);

}  // namespace lamina
