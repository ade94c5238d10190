// What /metrics tells, in Prometheus's text format.
#pragma once

#include "cluster/orchestrator.h"

#include <cstdint>
#include <string>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace lamina {

// Thread-safe.
class Metrics {
 public:
  Metrics();

  void request_started();
  // `route` is a path the server knows or "other", so that strangers can't grow the set of labels.
  void request_finished(const std::string& route, unsigned code, double seconds);
  void body_received(std::uint64_t bytes);
  void body_sent(std::uint64_t bytes);
  void connection_opened();
  void connection_closed();

  // All of the above and the state of the pipeline.
  std::string text(const PipelineStatus& status) const;

 private:
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  prometheus::Gauge& in_flight_;
  prometheus::Gauge& connections_;
  prometheus::Counter& received_;
  prometheus::Counter& sent_;
};

}  // namespace lamina
