#include "plan/plan_svg.h"

#include "base/text.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>

#include <fmt/format.h>

namespace lamina {

namespace {

constexpr double kWidth = 960;
constexpr double kLeft = 120;  // names of machines
constexpr double kRight = 40;
constexpr double kTop = 64;
constexpr double kRow = 44;
constexpr double kBar = 22;
constexpr double kChart = 220;
constexpr const char* kColors[] = {"#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2"};

std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string text_at(double x, double y, std::string_view text, std::string_view attributes = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, attributes, escape(text));
}

std::string line(double x1, double y1, double x2, double y2, std::string_view attributes) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1, x2, y2,
                     attributes);
}

// A round step that divides `range` into about five.
double tick_of(double range) {
  const double rough = range / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (rough <= factor * power) return factor * power;
  }
  return 10 * power;
}

class Timeline {
 public:
  explicit Timeline(const Plan& plan) : plan_(plan) {
    for (const DeviceInfo& device : plan.devices) {
      if (device.name == plan.source || uses(plan, device.name)) machines_.push_back(device.name);
    }
  }

  double height() const { return kTop + static_cast<double>(machines_.size()) * kRow + 30; }

  std::string draw() const {
    std::string svg = axis();
    for (const std::string& machine : machines_) {
      const double y = row_of(machine);
      svg += line(kLeft, y, kWidth - kRight, y, "stroke=\"#ddd\"");
      svg += text_at(kLeft - 10, y + 4, machine, "text-anchor=\"end\"");
    }
    std::vector<Sender> from = {{plan_.source, 0}};
    std::vector<Sender> bypassing;  // that sent past the branches before
    for (std::size_t i = 0; i < plan_.stages.size();) {
      std::vector<Sender> sent;
      const std::vector<Sender> past_these = plan_.stages[i].bypass_bytes > 0 ? from : std::vector<Sender>{};
      // The stages of one block run at once.
      const std::size_t begin = plan_.stages[i].begin;
      for (; i < plan_.stages.size() && plan_.stages[i].begin == begin; ++i) {
        const PlannedStage& stage = plan_.stages[i];
        for (const PlannedReplica& replica : stage.replicas) {
          svg += hops(from, {replica.device, stage.starts}) +
                 bypasses(bypassing, {replica.device, stage.starts});
          svg += bar(i, stage, replica, stage.starts);
          sent.push_back({replica.device, stage.starts + stage.seconds});
        }
      }
      from = std::move(sent);
      bypassing = past_these;
    }
    const Sender answer = {plan_.source, plan_.latency};
    return svg + hops(from, answer) + bypasses(bypassing, answer);
  }

 private:
  double x_of(double seconds) const {
    return kLeft + (plan_.latency > 0 ? seconds / plan_.latency : 0) * (kWidth - kLeft - kRight);
  }
  double row_of(const std::string& machine) const {
    const auto at = std::find(machines_.begin(), machines_.end(), machine) - machines_.begin();
    return kTop + (static_cast<double>(at) + 0.5) * kRow;
  }

  std::string axis() const {
    std::string svg;
    const double bottom = kTop + static_cast<double>(machines_.size()) * kRow;
    if (!(plan_.latency > 0)) return svg;
    const double tick = tick_of(plan_.latency);
    for (double time = 0; time <= plan_.latency * (1 + 1e-9); time += tick) {
      svg += line(x_of(time), kTop, x_of(time), bottom, "stroke=\"#eee\"");
      svg += text_at(x_of(time), bottom + 18, format_seconds(time), "text-anchor=\"middle\" fill=\"#666\"");
    }
    return svg;
  }

  // A machine and a time.
  struct Sender {
    std::string machine;
    double time = 0;
  };

  std::string hops(const std::vector<Sender>& from, const Sender& to) const {
    std::string svg;
    for (const Sender& sender : from) {
      svg += line(x_of(sender.time), row_of(sender.machine), x_of(to.time), row_of(to.machine),
                  "stroke=\"#555\" stroke-width=\"1.5\" marker-end=\"url(#arrow)\"");
    }
    return svg;
  }

  // Of tensors that no branch of the block between uses.
  std::string bypasses(const std::vector<Sender>& from, const Sender& to) const {
    std::string svg;
    for (const Sender& sender : from) {
      svg += fmt::format("<g><title>past the branches, from {} to {}</title>", escape(sender.machine),
                         escape(to.machine));
      svg += line(x_of(sender.time), row_of(sender.machine), x_of(to.time), row_of(to.machine),
                  "stroke=\"#999\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\" marker-end=\"url(#arrow)\"");
      svg += "</g>\n";
    }
    return svg;
  }

  std::string bar(std::size_t index, const PlannedStage& stage, const PlannedReplica& replica,
                  double begin) const {
    const double width = std::max(2.0, x_of(begin + stage.seconds) - x_of(begin));
    const double y = row_of(replica.device) - kBar / 2;
    const std::string title = fmt::format("stage {}: {} on {}, {} of the requests, {}, {}", index + 1,
                                          stage.name, replica.device, format_percent(replica.share),
                                          format_seconds(stage.seconds), format_bytes(replica.memory));
    std::string svg = fmt::format(
        "<g><title>{}</title><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"3\" "
        "fill=\"{}\"/>",
        escape(title), x_of(begin), y, width, kBar, kColors[index % std::size(kColors)]);
    const std::string label = width > 90 ? format_seconds(stage.seconds) : std::to_string(index + 1);
    if (width > 14)
      svg +=
          text_at(x_of(begin) + width / 2, y + kBar / 2 + 4, label, "text-anchor=\"middle\" fill=\"#fff\"");
    return svg + "</g>\n";
  }

  const Plan& plan_;
  std::vector<std::string> machines_;
};

double requests_per_second(const Plan& plan) {
  return plan.period > 0 ? joined_requests(plan) / plan.period : 0;
}

std::string draw_front(const Plan& plan, const std::vector<PlanPoint>& front, double top) {
  // The plan may be slower than all of the front, where it is best at something else.
  double fastest = plan.latency;
  double slowest = plan.latency;
  double most = requests_per_second(plan);
  for (const PlanPoint& point : front) {
    fastest = std::min(fastest, point.latency);
    slowest = std::max(slowest, point.latency);
    most = std::max(most, 1 / point.period);
  }
  const double bottom = top + kChart - 50;
  // From a little before the fastest to a little behind the slowest.
  const double begin = fastest * 0.95;
  const double end = slowest * 1.02;
  const auto x_of = [&](double latency) {
    return kLeft + (latency - begin) / (end - begin) * (kWidth - kLeft - kRight);
  };
  const auto y_of = [&](double rate) { return bottom - rate / (most * 1.1) * (bottom - top - 20); };
  std::string svg =
      text_at(kLeft, top + 4, "Requests a second against latency: the best plans", "fill=\"#333\"");
  svg += line(kLeft, bottom, kWidth - kRight, bottom, "stroke=\"#999\"") +
         line(kLeft, bottom, kLeft, top + 16, "stroke=\"#999\"");
  const double tick = tick_of(end - begin);
  for (double time = std::ceil(begin / tick) * tick; time <= end; time += tick)
    svg += text_at(x_of(time), bottom + 18, format_seconds(time), "text-anchor=\"middle\" fill=\"#666\"");
  for (double rate = 0; rate <= most * 1.1; rate += tick_of(most))
    svg += text_at(kLeft - 10, y_of(rate) + 4, fmt::format("{:.4g}/s", rate),
                   "text-anchor=\"end\" fill=\"#666\"");
  std::string path;
  for (const PlanPoint& point : front)
    path += fmt::format("{:.1f},{:.1f} ", x_of(point.latency), y_of(1 / point.period));
  svg += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"#4c78a8\"/>\n", path);
  for (const PlanPoint& point : front) {
    svg += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"#4c78a8\"><title>{}, {:.4g}/s</title></circle>\n",
        x_of(point.latency), y_of(1 / point.period), format_seconds(point.latency), 1 / point.period);
  }
  if (plan.period > 0) {
    svg += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"6\" fill=\"none\" stroke=\"#e45756\" stroke-width=\"2\"/>\n",
        x_of(plan.latency), y_of(requests_per_second(plan)));
  }
  return svg;
}

}  // namespace

std::string plan_svg(const Plan& plan, const std::vector<PlanPoint>& front) {
  const Timeline timeline(plan);
  const bool with_front = front.size() > 1;
  const double height = timeline.height() + (with_front ? kChart + 16 : 0);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} "
      "{1:.0f}\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n"
      "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" "
      "markerHeight=\"7\" "
      "orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\" fill=\"#555\"/></marker></defs>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
      kWidth, height);
  svg +=
      text_at(kLeft, 28, fmt::format("{} in {} stages", plan.model, plan.stages.size()), "font-size=\"16\"");
  svg += text_at(kLeft, 46,
                 fmt::format("one {}: {}; at most {:.4g} requests/s", plan.joining ? "full batch" : "request",
                             format_seconds(plan.latency), requests_per_second(plan)),
                 "fill=\"#555\"");
  svg += timeline.draw();
  if (with_front) svg += draw_front(plan, front, timeline.height() + 16);
  return svg + "</svg>\n";
}

}  // namespace lamina
