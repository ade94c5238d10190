#include "serve/session.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>
#include <string_view>
#include <utility>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <spdlog/spdlog.h>

namespace lamina {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t kReadSize = 16 << 10;
// While a request is answered, this much of what follows it is read ahead; more waits in the network.
constexpr std::size_t kReadAhead = 64 << 10;
// The orchestrator answers by its deadline; if it should not, the client is answered this much later.
constexpr std::chrono::milliseconds kAnswerGrace{500};
// How long a client that was refused in the midst of its request may go on sending before it reads the
// answer.
constexpr std::chrono::seconds kLingerTime{5};
constexpr std::chrono::milliseconds kCutOffAgain{10};
// For a whole request to come where others want in.
constexpr std::chrono::seconds kPatienceWhenFull{1};

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

// RFC 9110's form of a date: "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  static constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays.at(parts.tm_wday), parts.tm_mday,
                     kMonths.at(parts.tm_mon), 1900 + parts.tm_year, parts.tm_hour, parts.tm_min,
                     parts.tm_sec);
}

}  // namespace

Session::Session(asio::ip::tcp::socket socket, std::string address, SessionContext& context)
    : stream_(std::move(socket), context.tls),
      address_(std::move(address)),
      context_(context),
      timer_(stream_.get_executor()) {
  error_code ignored;
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  stream_.socket().non_blocking(true, ignored);
  context_.metrics.connection_opened();
}

void Session::start() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    if (self->context_.tls != nullptr) {
      self->shake_hands();
    } else {
      self->next_request();
    }
  });
}

void Session::start_refusing(unsigned status) {
  asio::post(stream_.get_executor(), [self = shared_from_this(), status] {
    // Shaking hands is dear: it is not done to say no.
    if (self->context_.tls != nullptr) {
      self->close();
      return;
    }
    self->request_begin_ = Clock::now();
    self->context_.metrics.request_started();
    self->counted_ = true;
    self->unread_ = true;
    self->fail_request(status, "resource_exhausted",
                       status == 429 ? "there are too many connections from this address"
                                     : "there are too many connections");
  });
}

void Session::drain() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    if (self->state_ == State::handshake || self->state_ == State::idle || self->state_ == State::lingering) {
      self->close();
    }
  });
}

void Session::make_room() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    const bool waits = self->state_ == State::handshake || self->state_ == State::idle ||
                       (self->state_ == State::reading && !self->counted_);
    if (waits && Clock::now() - self->waiting_since_ > kPatienceWhenFull) self->close();
  });
}

void Session::abort() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] { self->close(); });
}

// --- reading ---

void Session::shake_hands() {
  arm(context_.options.header_timeout);
  stream_.async_handshake([self = shared_from_this()](const error_code& error) {
    if (self->state_ != State::handshake) return;
    self->disarm();
    if (error) {
      spdlog::debug("TLS with {}: {}", self->address_, error.message());
      self->close();
      return;
    }
    self->certificate_ = peer_certificate(self->stream_.tls());
    self->next_request();
  });
}

void Session::next_request() {
  if (state_ == State::closed) return;
  waiting_since_ = Clock::now();
  caller_ = {};
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(context_.options.max_header_bytes));
  // The length is checked by hand, to answer with both numbers.
  parser_->body_limit(std::numeric_limits<std::uint64_t>::max());
  parser_->eager(false);
  response_.reset();
  serializer_.reset();
  route_ = nullptr;
  cancel_ = {};
  body_received_ = 0;
  unread_ = false;
  if (buffer_.size() > 0) {
    read_header();
    return;
  }
  if (context_.draining) {
    close();
    return;
  }
  state_ = State::idle;
  // A connection that never asked anything gets less patience than one between two requests.
  arm(first_ ? context_.options.header_timeout : context_.options.idle_timeout);
  stream_.async_read_some(buffer_.prepare(kReadSize),
                          [self = shared_from_this()](const error_code& error, std::size_t count) {
                            if (self->state_ != State::idle) return;
                            if (error) {
                              self->close();
                              return;
                            }
                            self->buffer_.commit(count);
                            self->read_header();
                          });
}

void Session::read_header() {
  state_ = State::reading;
  first_ = false;
  request_begin_ = Clock::now();
  arm(context_.options.header_timeout);
  http::async_read_header(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](const error_code& error, std::size_t) { self->on_header(error); });
}

void Session::on_header(const error_code& error) {
  if (state_ != State::reading) return;
  disarm();
  context_.metrics.request_started();
  counted_ = true;
  if (error) {
    unread_ = true;
    keep_alive_ = false;
    if (timed_out_) {
      fail_request(408, "deadline_exceeded", "the request's headers took too long to come");
    } else if (error == http::error::header_limit) {
      fail_request(
          431, "invalid_argument",
          fmt::format("the request's headers have more than {} bytes", context_.options.max_header_bytes));
    } else if (error == http::error::bad_version) {
      fail_request(505, "unsupported", "expected HTTP/1.0 or HTTP/1.1");
    } else if (error.category() == http::make_error_code(http::error::bad_target).category() &&
               error != http::error::end_of_stream && error != http::error::partial_message) {
      fail_request(400, "invalid_argument", "the request is no HTTP: " + error.message());
    } else {
      close();
    }
    return;
  }

  const auto& request = parser_->get();
  keep_alive_ = request.keep_alive();
  const auto length = parser_->content_length();
  const bool has_body = parser_->chunked() || (length && *length > 0);
  if (std::optional<Reply> refusal = check_header()) {
    unread_ = has_body || unread_;
    send(std::move(*refusal), unread_);
    return;
  }
  if (!has_body) {
    answer();
    return;
  }

  if (context_.buffered_bytes + length.value_or(0) > context_.options.max_buffered_bytes) {
    refuse_for_memory();
    return;
  }
  parser_->body_limit(context_.options.max_body_bytes);
  parser_->eager(true);
  body_begin_ = Clock::now();
  body_due_ = body_begin_ + context_.options.header_timeout;
  if (request.version() >= 11 && request.count(http::field::expect) > 0) {
    send_continue();
  } else {
    read_body();
  }
}

// What is announced is not counted, only what has come: who announces much and sends little takes no room.
bool Session::charge_body() {
  const std::uint64_t more = parser_->get().body().size - budget_;
  budget_ += more;
  return context_.buffered_bytes.fetch_add(more) + more <= context_.options.max_buffered_bytes;
}

void Session::refuse_for_memory() {
  unread_ = true;
  fail_request(503, "resource_exhausted",
               fmt::format("the requests under way hold all of the {} bytes set aside for them",
                           context_.options.max_buffered_bytes));
}

std::optional<Reply> Session::check_header() {
  const auto& request = parser_->get();
  const auto close_for = [this](std::optional<Refusal> refusal) -> std::optional<Reply> {
    if (!refusal) return std::nullopt;
    unread_ = unread_ || refusal->close;
    return std::move(refusal->reply);
  };
  if (std::optional<Reply> reply = close_for(check_framing(*parser_))) return reply;
  std::string path;
  try {
    path = parse_target(view(request.target())).path;
  } catch (const Error& error) {
    return error_reply(error);
  }
  route_ = Api::find(path);
  // Twice the header is none: two programs might heed different ones.
  const bool once = request.count(http::field::authorization) == 1;
  caller_ = context_.access.identify(once ? view(request[http::field::authorization]) : std::string_view{},
                                     certificate_, address_);
  const bool open = route_ != nullptr && route_->open;
  if (std::optional<Reply> reply = context_.access.refuse(caller_, certificate_, open, Clock::now())) {
    return reply;
  }
  return close_for(check_content(*parser_, route_, path, context_.options.max_body_bytes));
}

void Session::send_continue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  arm(context_.options.header_timeout);
  asio::async_write(stream_, asio::buffer(kContinue.data(), kContinue.size()),
                    [self = shared_from_this()](const error_code& error, std::size_t) {
                      if (self->state_ != State::reading) return;
                      if (error) {
                        self->count_request(499);
                        self->close();
                        return;
                      }
                      self->read_body();
                    });
}

void Session::read_body() {
  // Whoever sends slower than the least rate falls behind this line and is cut off.
  arm(body_due_ - Clock::now());
  http::async_read_some(
      stream_, buffer_, *parser_, [self = shared_from_this()](const error_code& error, std::size_t count) {
        self->body_received_ += count;
        // Haste is no credit for a long rest: the line is never further off than at first.
        self->body_due_ = std::min(self->body_due_ + self->rate_time(count),
                                   Clock::now() + Clock::duration(self->context_.options.header_timeout));
        self->on_body(error);
      });
}

void Session::on_body(const error_code& error) {
  if (state_ != State::reading) return;
  disarm();
  if (!error) {
    if (!charge_body()) {
      keep_alive_ = false;
      refuse_for_memory();
    } else if (parser_->is_done()) {
      answer();
    } else {
      read_body();
    }
    return;
  }
  unread_ = true;
  keep_alive_ = false;
  if (timed_out_) {
    fail_request(408, "deadline_exceeded",
                 fmt::format("the request's body came too slowly: {} bytes in {:.1f} s", body_received_,
                             seconds_since(body_begin_)));
  } else if (error == http::error::body_limit) {
    send(too_large("more", context_.options.max_body_bytes), true);
  } else if (error == asio::error::no_memory) {
    fail_request(507, "out_of_memory", "the server has no memory left for this body");
  } else if (error.category() == http::make_error_code(http::error::bad_target).category() &&
             error != http::error::end_of_stream && error != http::error::partial_message) {
    fail_request(400, "invalid_argument", "the request's body is no HTTP: " + error.message());
  } else {
    count_request(499);
    close();
  }
}

// --- answering ---

void Session::answer() {
  state_ = State::waiting;
  const std::uint64_t number = ++request_;
  ApiRequest request;
  request.target = parse_target(view(parser_->get().target()));
  request.known = caller_.known;
  request.accept = std::string(view(parser_->get()[http::field::accept]));
  request.body = parser_->get().body().take();
  context_.metrics.body_received(request.body.size());
  arm((route_->slow ? context_.options.control_timeout : context_.options.request_timeout) + kAnswerGrace);

  cancel_ = context_.api.answer(
      *route_, request, [server = context_.server, weak = weak_from_this(), number](Reply reply) {
        // The server may be gone by now, and with it the thread the reply would go to.
        const std::shared_ptr<void> alive = server.lock();
        const std::shared_ptr<Session> self = weak.lock();
        if (alive == nullptr || self == nullptr) return;
        asio::post(self->stream_.get_executor(), [self, number, reply = std::move(reply)]() mutable {
          if (self->state_ != State::waiting || self->request_ != number) return;
          self->send(std::move(reply), false);
        });
      });
  watch();
}

void Session::watch() {
  if (watching_) return;
  watching_ = true;
  stream_.socket().async_wait(asio::socket_base::wait_read,
                              [self = shared_from_this()](const error_code& error) {
                                self->watching_ = false;
                                if (self->state_ != State::waiting) return;
                                if (!error) self->on_readable();
                              });
}

void Session::on_readable() {
  if (buffer_.size() >= kReadAhead) return;
  error_code error;
  const std::size_t count = stream_.read_some(buffer_.prepare(kReadSize), error);
  if (error == asio::error::would_block || error == asio::error::try_again) {
    watch();
    return;
  }
  if (error) {
    // An end of the stream counts as going away too: nothing tells it from a client that only sends no more.
    count_request(499);
    close();
    return;
  }
  buffer_.commit(count);
  watch();
}

void Session::fail_request(unsigned status, const std::string& code, const std::string& message) {
  send(error_reply(status, code, message), true);
}

void Session::send(Reply reply, bool close) {
  state_ = State::writing;
  cancel_ = {};
  disarm();
  // Requests that came already are answered even when the server is stopping.
  if (close || (context_.draining && buffer_.size() == 0)) keep_alive_ = false;

  const bool head = parser_ && parser_->is_header_done() && parser_->get().method() == http::verb::head;
  const std::uint64_t size = body_size(reply);
  const unsigned version = parser_ && parser_->is_header_done() ? parser_->get().version() : 11;
  response_.emplace();
  response_->version(version);
  response_->result(reply.status);
  if (reply.status == 499) response_->reason("Client Closed Request");
  if (reply.status == 507) response_->reason("Insufficient Storage");
  response_->set(http::field::server, "lamina");
  response_->set(http::field::date, http_date());
  response_->set(http::field::content_type, reply.content_type);
  response_->set("X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : reply.headers) response_->set(name, value);
  response_->keep_alive(keep_alive_);
  response_->content_length(size);
  response_->body() = std::move(reply.body);
  serializer_.emplace(*response_);

  arm(context_.options.header_timeout + rate_time(head ? 0 : size));
  const auto sent = [self = shared_from_this(), size = head ? 0 : size](const error_code& error,
                                                                        std::size_t) {
    if (!error) self->context_.metrics.body_sent(size);
    self->on_sent(error);
  };
  if (head) {
    http::async_write_header(stream_, *serializer_, sent);
  } else {
    http::async_write(stream_, *serializer_, sent);
  }
}

void Session::on_sent(const error_code& error) {
  if (state_ != State::writing) return;
  disarm();
  count_request(error ? 499 : response_->result_int());
  release_budget();
  if (!error && keep_alive_) {
    next_request();
  } else if (!error && unread_) {
    linger();
  } else {
    close();
  }
}

void Session::linger() {
  // Closing while the client is still sending would make the system discard the answer it has not read yet.
  if (state_ != State::lingering) {
    state_ = State::lingering;
    error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    arm(kLingerTime);
  }
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(kReadAhead),
                          [self = shared_from_this()](const error_code& error, std::size_t) {
                            if (self->state_ != State::lingering) return;
                            if (error) {
                              self->close();
                            } else {
                              self->linger();
                            }
                          });
}

void Session::close() {
  if (state_ == State::closed) return;
  const Api::Cancel cancel = state_ == State::waiting ? std::move(cancel_) : Api::Cancel{};
  state_ = State::closed;
  cancel_ = {};
  disarm();
  error_code ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  stream_.socket().close(ignored);
  count_request(499);
  release_budget();
  context_.metrics.connection_closed();
  if (cancel) cancel();
  context_.on_closed(*this);
}

// --- bookkeeping ---

void Session::count_request(unsigned status) {
  if (!counted_) return;
  counted_ = false;
  context_.metrics.request_finished(route_ == nullptr ? "other" : std::string(route_->path), status,
                                    seconds_since(request_begin_));
}

void Session::release_budget() { context_.buffered_bytes -= std::exchange(budget_, 0); }

void Session::arm(std::chrono::nanoseconds time) {
  timed_out_ = false;
  start_timer(time);
}

void Session::start_timer(std::chrono::nanoseconds time) {
  const std::uint64_t round = ++timer_round_;
  timer_.expires_after(std::max(time, std::chrono::nanoseconds(0)));
  timer_.async_wait([self = shared_from_this(), round](const error_code& error) {
    if (!error && round == self->timer_round_) self->on_timer();
  });
}

void Session::on_timer() {
  if (timed_out_ && Clock::now() >= give_up_) {
    // Nothing came of it: the handler that should have acted was lost to an exception.
    close();
  } else if (state_ == State::waiting) {
    if (cancel_) cancel_();
    fail_request(504, "deadline_exceeded",
                 fmt::format("there was no answer after {:.1f} s", seconds_since(request_begin_)));
  } else {
    if (!timed_out_) give_up_ = Clock::now() + kLingerTime;
    // The handler of the operation that is cut off finds timed_out_ set. Between two reads of one operation
    // there is nothing to cut off, so it is tried again until the handler was called.
    timed_out_ = true;
    error_code ignored;
    stream_.socket().cancel(ignored);
    start_timer(kCutOffAgain);
  }
}

void Session::disarm() {
  ++timer_round_;
  timer_.cancel();
}

std::chrono::nanoseconds Session::rate_time(std::uint64_t bytes) const {
  const double seconds = static_cast<double>(bytes) / static_cast<double>(std::max<std::uint64_t>(
                                                          context_.options.min_bytes_per_second, 1));
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
}

}  // namespace lamina
