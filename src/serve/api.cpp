#include "serve/api.h"

#include "serve/model_io.h"
#include "serve/page.h"
#include "serve/status_json.h"

#include <array>
#include <exception>
#include <new>

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

namespace lamina {

namespace {

constexpr int kMaxBackground = 16;
constexpr std::string_view kMismatch = "Input dimensions does not match the model";

// What a query may say, so that a misspelt key is an error and not silently without effect.
std::string query_value(const ApiRequest& request, std::string_view key) {
  const auto found = request.target.query.find(key);
  return found == request.target.query.end() ? "" : found->second;
}

void check_query(const ApiRequest& request) {
  for (const auto& [key, value] : request.target.query) {
    if (key != "input" && key != "output") {
      fail(ErrorCode::invalid_argument, "the query has '{}', expected 'input' or 'output'", key);
    }
  }
}

// The exception being handled, as a reply.
Reply reply_of_exception() {
  try {
    throw;
  } catch (const Error& error) {
    return error_reply(error);
  } catch (const std::bad_alloc&) {
    return error_reply(Error(ErrorCode::out_of_memory, "the server has no memory left for this request"));
  } catch (const std::exception& error) {
    spdlog::error("answering a request: {}", error.what());
    return error_reply(Error(ErrorCode::internal, error.what()));
  }
}

constexpr std::string_view kGet = "GET";
constexpr std::string_view kGetOrHead = "GET, HEAD";
constexpr std::string_view kPost = "POST";

}  // namespace

Api::Api(Orchestrator& orchestrator, const HttpOptions& options, Metrics& metrics)
    : orchestrator_(orchestrator), options_(options), metrics_(metrics) {}

Api::~Api() { join(); }

void Api::join() { pool_.join(); }

const Api::Route* Api::find(std::string_view path) {
  static const std::array<Route, 11> routes = {{
      {"/", kGetOrHead, Right::none, false, &Api::page},
      {"/input", kPost, Right::predict, false, &Api::input},
      {"/connect", kGet, Right::operate, true, &Api::connect},
      {"/activate", kGet, Right::operate, true, &Api::activate},
      {"/healthcheck", kGetOrHead, Right::none, false, &Api::health},
      {"/workerhealthcheck", kGetOrHead, Right::watch, true, &Api::worker_health},
      {"/health/live", kGetOrHead, Right::none, false, &Api::live},
      {"/health/ready", kGetOrHead, Right::none, false, &Api::ready},
      {"/metrics", kGetOrHead, Right::watch, false, &Api::metrics},
      {"/status", kGetOrHead, Right::look, false, &Api::status},
      {"/classes", kGetOrHead, Right::look, false, &Api::classes},
  }};
  for (const Route& route : routes) {
    if (route.path == path) return &route;
  }
  return nullptr;
}

std::optional<Reply> Api::refuse(const Route* route, std::string_view method, std::string_view path) {
  if (route == nullptr) {
    return error_reply(404, "not_found", fmt::format("there is nothing at '{}'", path.substr(0, 200)));
  }
  // Methods stand in the list whole: none of them is a part of another.
  const bool known = method == "GET" || method == "HEAD" || method == "POST";
  if (known && route->allow.find(method) != std::string_view::npos) return std::nullopt;
  Reply reply = error_reply(405, "invalid_argument",
                            fmt::format("'{}' takes {}, not {}", path, route->allow, method.substr(0, 40)));
  reply.headers.emplace_back("Allow", route->allow);
  return reply;
}

Api::Cancel Api::answer(const Route& route, const ApiRequest& request, const Respond& respond) {
  try {
    return (this->*route.answer)(request, respond);
  } catch (...) {
    respond(reply_of_exception());
    return {};
  }
}

Api::Cancel Api::input(const ApiRequest& request, const Respond& respond) {
  const Signature& signature = orchestrator_.signature();
  check_query(request);
  const std::string output = query_value(request, "output");
  check_output_name(signature, output);
  std::vector<Tensor> inputs;
  try {
    inputs = read_inputs(request.body, signature, query_value(request, "input"), options_.max_body_bytes);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_argument) throw;
    respond(text_reply(400, fmt::format("{}: {}\n", kMismatch, error.what())));
    return {};
  }
  const Clock::time_point begin = Clock::now();
  const auto done = [respond, recent = recent_, &signature, output, accept = request.accept,
                     begin](Prediction prediction) {
    try {
      if (prediction.error) throw Error(*prediction.error);
      Reply reply = outputs_reply(prediction.outputs, signature, output, accept);
      recent->add(Clock::now(), seconds_since(begin));
      respond(std::move(reply));
    } catch (...) {
      respond(reply_of_exception());
    }
  };
  const std::uint64_t id = orchestrator_.predict(std::move(inputs), Deadline(options_.request_timeout), done);
  return [this, id] { orchestrator_.cancel(id); };
}

Api::Cancel Api::connect(const ApiRequest& /*request*/, const Respond& respond) {
  in_background(respond, [this] {
    const PipelineStatus status = orchestrator_.connect();
    if (is_connected(status)) return text_reply(200, "Successfully connected to forward url\n");
    std::string text = "Unable to connect to forward url";
    for (const StageStatus& stage : status.stages) {
      if (stage.connected) continue;
      text += fmt::format("\n{} on {} at {}: {}", stage.name, stage.worker, stage.address,
                          stage.error.empty() ? "not connected" : stage.error);
    }
    return text_reply(503, text + "\n");
  });
  return {};
}

Api::Cancel Api::activate(const ApiRequest& /*request*/, const Respond& respond) {
  in_background(respond, [this] {
    const PipelineStatus status = orchestrator_.activate();
    return json_reply(is_ready(status) ? 200 : 503, activation_json(status));
  });
  return {};
}

Api::Cancel Api::worker_health(const ApiRequest& /*request*/, const Respond& respond) {
  in_background(respond, [this] {
    const PipelineStatus status = orchestrator_.check();
    return json_reply(is_ready(status) ? 200 : 503, worker_health_json(status));
  });
  return {};
}

Api::Cancel Api::health(const ApiRequest& request, const Respond& respond) {
  Json json = health_json(orchestrator_.status());
  if (!request.known) json["forward_url"] = "";
  respond(json_reply(200, json));
  return {};
}

Api::Cancel Api::live(const ApiRequest& /*request*/, const Respond& respond) {
  respond(text_reply(200, "live\n"));
  return {};
}

Api::Cancel Api::ready(const ApiRequest& request, const Respond& respond) {
  if (draining_) {
    respond(error_reply(503, "unavailable", "the server is stopping"));
    return {};
  }
  const PipelineStatus status = orchestrator_.status();
  if (!request.known) {
    respond(is_ready(status) ? text_reply(200, "ready\n") : error_reply(503, "unavailable", "not ready"));
    return {};
  }
  std::string waiting;
  for (const StageStatus& stage : status.stages) {
    if (stage.ready) continue;
    waiting += fmt::format("{}{} on {}{}{}", waiting.empty() ? "" : "; ", stage.name, stage.worker,
                           stage.error.empty() ? "" : ": ", stage.error);
  }
  respond(is_ready(status) ? text_reply(200, "ready\n")
                           : error_reply(503, "unavailable",
                                         waiting.empty() ? "there are no stages" : "not ready: " + waiting));
  return {};
}

Api::Cancel Api::metrics(const ApiRequest& /*request*/, const Respond& respond) {
  respond(text_reply(200, metrics_.text(orchestrator_.status()), "text/plain; version=0.0.4; charset=utf-8"));
  return {};
}

Api::Cancel Api::status(const ApiRequest& /*request*/, const Respond& respond) {
  Json json = to_json(orchestrator_.status());
  if (draining_) json["ready"] = false;
  json["signature"] = to_json(orchestrator_.signature());
  const RecentPredictions::Summary recent = recent_->summary(Clock::now());
  json["recent"] = {{"per_second", recent.per_second},
                    {"latency_median_seconds", recent.median},
                    {"latency_p95_seconds", recent.p95}};
  json["max_body_bytes"] = options_.max_body_bytes;
  Reply reply = json_reply(200, json);
  reply.headers.emplace_back("Cache-Control", "no-store");
  respond(std::move(reply));
  return {};
}

Api::Cancel Api::classes(const ApiRequest& /*request*/, const Respond& respond) {
  respond(json_reply(200, Json(options_.class_names)));
  return {};
}

Api::Cancel Api::page(const ApiRequest& /*request*/, const Respond& respond) {
  Reply reply = text_reply(200, page_html(), "text/html; charset=utf-8");
  reply.headers.emplace_back("Content-Security-Policy",
                             "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                             "connect-src 'self'; img-src 'self' blob: data:; base-uri 'none'; "
                             "form-action 'none'; frame-ancestors 'none'");
  reply.headers.emplace_back("Cache-Control", "no-cache");
  respond(std::move(reply));
  return {};
}

void Api::in_background(const Respond& respond, std::function<Reply()> work) {
  if (background_.fetch_add(1) >= kMaxBackground) {
    --background_;
    fail(ErrorCode::resource_exhausted, "{} requests of this sort are waiting already, expected fewer",
         kMaxBackground);
  }
  boost::asio::post(pool_, [this, respond, work = std::move(work)] {
    try {
      respond(work());
    } catch (...) {
      respond(reply_of_exception());
    }
    --background_;
  });
}

}  // namespace lamina
