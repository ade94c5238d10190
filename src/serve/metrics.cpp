#include "serve/metrics.h"

#include <limits>
#include <utility>
#include <vector>

#include <prometheus/text_serializer.h>

namespace lamina {

namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// From half a millisecond to a minute, in steps of 1, 2.5, 5.
prometheus::Histogram::BucketBoundaries bucket_seconds() {
  return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60};
}

MetricFamily family(std::string name, std::string help, MetricType type) {
  MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

ClientMetric::Label label(std::string name, std::string value) {
  ClientMetric::Label made;
  made.name = std::move(name);
  made.value = std::move(value);
  return made;
}

MetricFamily batch_family(const BatchSizes& sizes) {
  ClientMetric metric;
  for (std::size_t i = 0; i < sizes.counts.size(); ++i) {
    metric.histogram.sample_count += sizes.counts[i];
    ClientMetric::Bucket bucket;
    bucket.cumulative_count = metric.histogram.sample_count;
    bucket.upper_bound = i < sizes.bounds.size() ? static_cast<double>(sizes.bounds[i])
                                                 : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back(bucket);
  }
  metric.histogram.sample_sum = static_cast<double>(sizes.rows);
  MetricFamily made = family("lamina_batch_rows", "Rows of the batches that requests were joined into.",
                             MetricType::Histogram);
  made.metric.push_back(std::move(metric));
  return made;
}

std::vector<MetricFamily> pipeline_families(const PipelineStatus& status) {
  std::vector<MetricFamily> families;
  const auto counter = [&](std::string name, std::string help, std::uint64_t value) {
    ClientMetric metric;
    metric.counter.value = static_cast<double>(value);
    families.push_back(family(std::move(name), std::move(help), MetricType::Counter));
    families.back().metric.push_back(std::move(metric));
  };
  const auto gauge = [&](std::string name, std::string help, double value) {
    ClientMetric metric;
    metric.gauge.value = value;
    families.push_back(family(std::move(name), std::move(help), MetricType::Gauge));
    families.back().metric.push_back(std::move(metric));
  };
  const auto gauges = [&](std::string name, std::string help, auto value_of) {
    families.push_back(family(std::move(name), std::move(help), MetricType::Gauge));
    for (std::size_t i = 0; i < status.stages.size(); ++i) {
      const StageStatus& stage = status.stages[i];
      ClientMetric metric;
      metric.label = {label("stage", std::to_string(i)), label("worker", stage.worker),
                      label("layers", stage.name)};
      metric.gauge.value = static_cast<double>(value_of(stage));
      families.back().metric.push_back(std::move(metric));
    }
  };
  counter("lamina_pipeline_answered_total", "Predictions the pipeline answered.", status.requests_answered);
  counter("lamina_pipeline_failed_total", "Predictions that ended in an error.", status.requests_failed);
  gauge("lamina_pipeline_in_flight", "Predictions under way in the pipeline.",
        static_cast<double>(status.requests_in_flight));
  gauges("lamina_stage_ready", "1 where the stage is loaded and answers.",
         [](const StageStatus& stage) { return stage.ready ? 1 : 0; });
  gauges("lamina_stage_measured_seconds", "Median time of the stage's recent runs, 0 before the first.",
         [](const StageStatus& stage) { return stage.measured_seconds; });
  gauges("lamina_stage_predicted_seconds", "Time of the stage in the plan.",
         [](const StageStatus& stage) { return stage.predicted_seconds; });
  gauges("lamina_stage_memory_bytes", "Memory the stage's worker uses for it.",
         [](const StageStatus& stage) { return stage.memory; });
  if (status.recovery) {
    const RecoveryStatus& recovery = *status.recovery;
    counter("lamina_recoveries_total", "Times that the pipeline served again after a loss.",
            recovery.recoveries);
    counter("lamina_replans_total", "Changes of plan while the pipeline served.", recovery.replans);
    counter("lamina_requests_resent_total", "Requests that were sent again after a loss.",
            recovery.requests_resent);
    gauge("lamina_last_recovery_seconds", "From the last loss until requests were sent again.",
          recovery.last_seconds);
    families.push_back(family("lamina_recovery_seconds_total",
                              "From losses until requests were sent again, all together.",
                              MetricType::Counter));
    families.back().metric.emplace_back().counter.value = recovery.seconds;
    families.push_back(family("lamina_machine_slowness",
                              "Times as long as planned that a machine takes, of those that are slow.",
                              MetricType::Gauge));
    for (const auto& [machine, times] : recovery.slow) {
      ClientMetric& metric = families.back().metric.emplace_back();
      metric.label = {label("worker", machine)};
      metric.gauge.value = times;
    }
    gauge("lamina_machines_lost", "Machines that are gone now.", static_cast<double>(recovery.lost.size()));
  }
  if (status.batch_sizes) families.push_back(batch_family(*status.batch_sizes));
  return families;
}

}  // namespace

Metrics::Metrics()
    : requests_(BuildCounter()
                    .Name("lamina_http_requests_total")
                    .Help("Requests answered, by path and HTTP status; 499: the client went away.")
                    .Register(registry_)),
      seconds_(BuildHistogram()
                   .Name("lamina_http_request_seconds")
                   .Help("Time from the headers of a request to the end of its answer.")
                   .Register(registry_)),
      in_flight_(BuildGauge()
                     .Name("lamina_http_requests_in_flight")
                     .Help("Requests being received, predicted or answered.")
                     .Register(registry_)
                     .Add({})),
      connections_(
          BuildGauge().Name("lamina_http_connections").Help("Open connections.").Register(registry_).Add({})),
      received_(BuildCounter()
                    .Name("lamina_http_received_bytes_total")
                    .Help("Bytes of bodies received.")
                    .Register(registry_)
                    .Add({})),
      sent_(BuildCounter()
                .Name("lamina_http_sent_bytes_total")
                .Help("Bytes of bodies sent.")
                .Register(registry_)
                .Add({})) {}

void Metrics::request_started() { in_flight_.Increment(); }

void Metrics::request_finished(const std::string& route, unsigned code, double seconds) {
  in_flight_.Decrement();
  requests_.Add({{"path", route}, {"code", std::to_string(code)}}).Increment();
  seconds_.Add({{"path", route}}, bucket_seconds()).Observe(seconds);
}

void Metrics::body_received(std::uint64_t bytes) { received_.Increment(static_cast<double>(bytes)); }
void Metrics::body_sent(std::uint64_t bytes) { sent_.Increment(static_cast<double>(bytes)); }
void Metrics::connection_opened() { connections_.Increment(); }
void Metrics::connection_closed() { connections_.Decrement(); }

std::string Metrics::text(const PipelineStatus& status) const {
  std::vector<MetricFamily> families = registry_.Collect();
  for (MetricFamily& added : pipeline_families(status)) families.push_back(std::move(added));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace lamina
