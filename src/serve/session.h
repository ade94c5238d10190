// One connection: requests in, replies out, one at a time and in order. Its life stands in session.cpp, how
// requests are read in session_request.cpp, how they are answered in session_answer.cpp.
#pragma once

#include "base/clock.h"
#include "serve/access.h"
#include "serve/api.h"
#include "serve/body_intake.h"
#include "serve/http_options.h"
#include "serve/http_stream.h"
#include "serve/https.h"
#include "serve/metrics.h"
#include "serve/request_check.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>

namespace lamina {

class Session;

// What the connections of a server share. Outlives them.
struct SessionContext {
  const HttpOptions& options;
  Api& api;
  Access& access;
  // The newest for a new connection; nullptr: HTTP in clear.
  std::function<std::shared_ptr<boost::asio::ssl::context>()> tls;
  Metrics& metrics;
  std::atomic<bool>& draining;
  std::atomic<std::uint64_t>& buffered_bytes;  // of the bodies of all requests under way
  std::function<void(Session&)> on_closed;
  // Locked while a reply is handed to the connection's thread: keeps what runs the threads alive meanwhile.
  std::weak_ptr<void> server;
};

// Everything happens on the strand that is the executor of the socket; start, drain and abort may be called
// from any thread.
class Session : public std::enable_shared_from_this<Session> {
 public:
  // `address` is where it comes from, as address_key() gives it.
  Session(boost::asio::ip::tcp::socket socket, std::string address, SessionContext& context);

  const std::string& address() const { return address_; }
  void start();
  // Says so and closes: there are too many connections, in all (503) or of this address (429).
  void start_refusing(unsigned status);
  // Closes now if no request is under way, else after its answer.
  void drain();
  // Others wait to be let in: closes if no request has come whole for a while.
  void make_room();
  // Cancels what is under way and closes.
  void abort();

 private:
  static constexpr std::size_t kReadSize = 16 << 10;  // asked of the connection at a time

  // The stage a connection is in; callbacks of an earlier one find it changed and do nothing.
  enum class State : std::uint8_t { handshake, idle, reading, waiting, writing, lingering, closed };

  void shake_hands();
  void next_request();
  void read_header();
  void on_header(const boost::system::error_code& error);
  // What the headers alone earn, before any of the body is read.
  std::optional<Reply> check_header();
  void refuse_for_memory();
  void send_continue();
  void read_body();
  void on_body(const boost::system::error_code& error);
  void answer();
  // Notices while waiting that the client goes away, and keeps what it sends meanwhile.
  void watch();
  void on_readable();
  void send(Reply reply, bool close);
  void on_sent(const boost::system::error_code& error);
  void fail_request(unsigned status, const std::string& code, const std::string& message);
  void linger();
  void close();

  void count_request(unsigned status);
  // Cuts the connection's operations off after `time`, unless armed anew or disarmed before.
  void arm(std::chrono::nanoseconds time);
  void disarm();
  void start_timer(std::chrono::nanoseconds time);
  void on_timer();

  HttpStream stream_;
  const std::string address_;
  SessionContext& context_;
  BodyIntake intake_;  // of the request under way
  boost::asio::steady_timer timer_;
  std::uint64_t timer_round_ = 0;
  bool timed_out_ = false;
  Clock::time_point give_up_;  // when an operation that timed out is ended without its handler

  State state_ = State::handshake;
  std::optional<PeerCertificate> certificate_;
  Caller caller_;  // of the request under way
  boost::beast::flat_buffer buffer_;
  std::optional<RequestParser> parser_;
  std::optional<boost::beast::http::response<ReplyBody>> response_;
  std::optional<boost::beast::http::response_serializer<ReplyBody>> serializer_;

  const Api::Route* route_ = nullptr;
  Clock::time_point waiting_since_ = Clock::now();  // for a request
  Clock::time_point request_begin_;
  std::uint64_t request_ = 0;  // number of the request on this connection
  bool counted_ = false;       // the request under way is in the metrics
  bool first_ = true;
  bool keep_alive_ = false;
  bool unread_ = false;  // part of the request may still be on its way
  bool watching_ = false;
  Api::Cancel cancel_;
};

}  // namespace lamina
