#include "serve/session.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

namespace lamina {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

// While a request is answered, this much of what follows it is read ahead; more waits in the network.
constexpr std::size_t kReadAhead = 64 << 10;
// How long a client that was refused in the midst of its request may go on sending before it reads the
// answer.
constexpr std::chrono::seconds kLingerTime{5};
constexpr std::chrono::milliseconds kCutOffAgain{10};
// For a whole request to come where others want in.
constexpr std::chrono::seconds kPatienceWhenFull{1};

}  // namespace

Session::Session(asio::ip::tcp::socket socket, std::string address, SessionContext& context)
    : stream_(std::move(socket), context.tls()),
      address_(std::move(address)),
      context_(context),
      intake_(context.options, context.buffered_bytes),
      timer_(stream_.get_executor()) {
  error_code ignored;
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  stream_.socket().non_blocking(true, ignored);
  context_.metrics.connection_opened();
}

void Session::start() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    if (self->stream_.tls() != nullptr) {
      self->shake_hands();
    } else {
      self->next_request();
    }
  });
}

void Session::start_refusing(unsigned status) {
  asio::post(stream_.get_executor(), [self = shared_from_this(), status] {
    // Shaking hands is dear: it is not done to say no.
    if (self->stream_.tls() != nullptr) {
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
  intake_.release();
  context_.metrics.connection_closed();
  if (cancel) cancel();
  context_.on_closed(*this);
}

void Session::count_request(unsigned status) {
  if (!counted_) return;
  counted_ = false;
  context_.metrics.request_finished(route_ == nullptr ? "other" : std::string(route_->path), status,
                                    seconds_since(request_begin_));
}

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

}  // namespace lamina
