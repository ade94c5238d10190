#include "serve/http_server.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/watched.h"
#include "cluster/security.h"
#include "serve/access.h"
#include "serve/api.h"
#include "serve/https.h"
#include "serve/metrics.h"
#include "serve/session.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <spdlog/spdlog.h>

namespace lamina {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// Connections above the limit that may be told so at a time; any more are closed without a word.
constexpr std::size_t kMaxRefusals = 64;
constexpr std::size_t kMaxRefusalsOfAddress = 4;
// After the system had no descriptor left for a connection.
constexpr std::chrono::milliseconds kAcceptPause{100};
// For cancelled requests to end, after the drain.
constexpr std::chrono::seconds kAbortTime{2};

tcp::acceptor listen(asio::io_context& io, const HttpOptions& options) {
  const std::string where = fmt::format("{}:{}", options.address, options.port);
  error_code error;
  tcp::resolver resolver(io);
  const auto found =
      resolver.resolve(options.address, std::to_string(options.port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    fail(ErrorCode::invalid_argument, "can't listen on {}: {}", where, error.message());
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  tcp::acceptor acceptor(asio::make_strand(io));
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use) {
    fail(ErrorCode::already_exists, "can't listen on {}: the port is in use by another process", where);
  }
  if (error == asio::error::access_denied) {
    fail(ErrorCode::io, "can't listen on {}: {}", where, error.message());
  }
  if (error) fail(ErrorCode::unavailable, "can't listen on {}: {}", where, error.message());
  return acceptor;
}

// Who has one address of an IPv6 network of 64 bits has all of them.
std::string address_key(const asio::ip::address& address) {
  if (!address.is_v6()) return address.to_string();
  if (address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  asio::ip::address_v6::bytes_type bytes = address.to_v6().to_bytes();
  std::fill(bytes.begin() + bytes.size() / 2, bytes.end(), 0);
  return asio::ip::address_v6(bytes).to_string() + "/64";
}

void check(const HttpOptions& options) {
  if (options.threads < 1) {
    fail(ErrorCode::invalid_argument, "the HTTP server was given {} threads, expected at least 1",
         options.threads);
  }
  if (options.max_connections < 1) {
    fail(ErrorCode::invalid_argument, "max_connections is 0, expected at least 1");
  }
  if (!options.tls.authority.empty() && !options.tls.enabled()) {
    fail(ErrorCode::invalid_argument, "clients can show certificates by HTTPS alone, and there is none");
  }
  const std::string where = fmt::format("{}:{}", options.address, options.port);
  if (is_loopback(where)) return;
  if (!options.guarded() && !options.insecure) {
    fail(ErrorCode::invalid_argument,
         "the HTTP front end can't listen on '{}' for everybody: give --auth FILE with tokens, or --tls and "
         "--auth-certificates, or say --insecure where the network keeps strangers away",
         where);
  }
  if (!options.tokens.empty() && !options.tls.enabled()) {
    spdlog::warn("tokens travel in clear to {}: without --tls whoever sees the network can read them", where);
  }
}

}  // namespace

class HttpServer::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Orchestrator& orchestrator, HttpOptions options)
      : options_(std::move(options)),
        access_(options_),
        api_(orchestrator, options_, metrics_),
        acceptor_(listen(io_, options_)),
        accept_pause_(acceptor_.get_executor()),
        port_(acceptor_.local_endpoint().port()) {
    const HttpTls& tls = options_.tls;
    if (tls.enabled()) {
      tls_.emplace(std::vector{tls.certificate, tls.key, tls.authority},
                   [tls] { return make_tls_context(tls); });
    }
  }

  void start() {
    const auto tls = [this] { return tls_ ? tls_->get(Clock::now()) : nullptr; };
    context_.emplace(SessionContext{options_, api_, access_, tls, metrics_, draining_, buffered_bytes_,
                                    [this](Session& session) { forget(session); }, weak_from_this()});
    asio::post(acceptor_.get_executor(), [this] { accept(); });
    for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { run(); });
    spdlog::info("listening on {}://{}:{}", tls_ ? "https" : "http", options_.address, port_);
  }

  std::uint16_t port() const { return port_; }

  void stop() {
    const std::scoped_lock stopping(stop_mutex_);
    if (stopped_) return;
    stopped_ = true;
    draining_ = true;
    api_.drain();
    std::promise<void> closed;
    asio::post(acceptor_.get_executor(), [this, &closed] {
      error_code ignored;
      acceptor_.close(ignored);
      accept_pause_.cancel();
      closed.set_value();
    });
    closed.get_future().wait();

    for_each(&Session::drain);
    if (!wait_until_empty(Deadline(options_.drain_timeout))) {
      spdlog::warn("{} connections still busy after the drain time, cancelling them", connections());
      for_each(&Session::abort);
      wait_until_empty(Deadline(kAbortTime));
    }
    io_.stop();
    for (std::thread& thread : threads_) thread.join();
    api_.join();
  }

 private:
  void run() {
    while (!io_.stopped()) {
      try {
        io_.run();
      } catch (const std::exception& error) {
        // A handler that threw has lost its connection; its timer closes it. The others go on.
        spdlog::error("serving HTTP: {}", error.what());
      }
    }
  }

  void accept() {
    acceptor_.async_accept(asio::make_strand(io_), [this](const error_code& error, tcp::socket socket) {
      if (!acceptor_.is_open()) return;
      if (!error) {
        admit(std::move(socket));
        accept();
      } else if (error == asio::error::connection_aborted) {
        accept();
      } else {
        spdlog::warn("accepting a connection: {}", error.message());
        accept_pause_.expires_after(kAcceptPause);
        accept_pause_.async_wait([this](const error_code& cancelled) {
          if (!cancelled && acceptor_.is_open()) accept();
        });
      }
    });
  }

  void admit(tcp::socket socket) {
    const std::size_t open = connections();
    if (open >= options_.max_connections) for_each(&Session::make_room);
    if (open >= options_.max_connections + kMaxRefusals) return;
    error_code gone;
    const tcp::endpoint peer = socket.remote_endpoint(gone);
    if (gone) return;
    const auto session = std::make_shared<Session>(std::move(socket), address_key(peer.address()), *context_);
    std::size_t alike = 0;
    {
      const std::scoped_lock lock(mutex_);
      sessions_.emplace(session.get(), session);
      alike = ++addresses_[session->address()];
    }
    if (alike > options_.max_connections_per_address + kMaxRefusalsOfAddress) {
      session->abort();
      return;
    }
    if (open >= options_.max_connections) {
      session->start_refusing(503);
    } else if (alike > options_.max_connections_per_address) {
      session->start_refusing(429);
    } else {
      session->start();
    }
  }

  void forget(Session& session) {
    const std::scoped_lock lock(mutex_);
    const auto alike = addresses_.find(session.address());
    if (--alike->second == 0) addresses_.erase(alike);
    sessions_.erase(&session);
    if (sessions_.empty()) empty_.notify_all();
  }

  std::size_t connections() const {
    const std::scoped_lock lock(mutex_);
    return sessions_.size();
  }

  void for_each(void (Session::*tell)()) {
    const std::scoped_lock lock(mutex_);
    for (const auto& [key, session] : sessions_) (session.get()->*tell)();
  }

  bool wait_until_empty(const Deadline& deadline) {
    std::unique_lock lock(mutex_);
    return empty_.wait_until(lock, deadline.time(), [this] { return sessions_.empty(); });
  }

  const HttpOptions options_;
  std::optional<Watched<asio::ssl::context>> tls_;
  Access access_;
  Metrics metrics_;
  std::atomic<bool> draining_ = false;
  std::atomic<std::uint64_t> buffered_bytes_ = 0;
  // Destroyed after everything that has a place on it.
  asio::io_context io_;
  Api api_;
  std::optional<SessionContext> context_;
  tcp::acceptor acceptor_;
  asio::steady_timer accept_pause_;
  std::uint16_t port_;

  mutable std::mutex mutex_;  // guards sessions_ and addresses_
  std::condition_variable empty_;
  std::unordered_map<Session*, std::shared_ptr<Session>> sessions_;
  std::unordered_map<std::string, std::size_t> addresses_;  // connections of each

  std::mutex stop_mutex_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

HttpServer::HttpServer(Orchestrator& orchestrator, HttpOptions options) {
  check(options);
  core_ = std::make_shared<Core>(orchestrator, std::move(options));
  core_->start();
}

HttpServer::~HttpServer() { core_->stop(); }

std::uint16_t HttpServer::port() const { return core_->port(); }

void HttpServer::stop() { core_->stop(); }

}  // namespace lamina
