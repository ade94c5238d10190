#include "serve/read_error.h"
#include "serve/session.h"
#include "serve/text_view.h"

#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>

namespace lamina {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

}  // namespace

// How a connection takes a request in.

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
    if (std::optional<Reply> reply = reply_to_header_error(error, timed_out_, context_.options)) {
      send(std::move(*reply), true);
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

  if (!intake_.has_room_for(length.value_or(0))) {
    refuse_for_memory();
    return;
  }
  parser_->body_limit(context_.options.max_body_bytes);
  parser_->eager(true);
  intake_.begin();
  if (request.version() >= 11 && request.count(http::field::expect) > 0) {
    send_continue();
  } else {
    read_body();
  }
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
  // What there is, is not told to strangers either.
  const Right right = route_ != nullptr ? route_->right : Right::look;
  if (std::optional<Reply> reply = context_.access.refuse(caller_, certificate_, right, Clock::now())) {
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
  arm(intake_.patience());
  http::async_read_some(stream_, buffer_, *parser_,
                        [self = shared_from_this()](const error_code& error, std::size_t count) {
                          self->intake_.receive(count);
                          self->on_body(error);
                        });
}

void Session::on_body(const error_code& error) {
  if (state_ != State::reading) return;
  disarm();
  if (!error) {
    if (!intake_.charge(parser_->get().body().size)) {
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
  if (std::optional<Reply> reply = reply_to_body_error(error, timed_out_, intake_, context_.options)) {
    send(std::move(*reply), true);
  } else {
    count_request(499);
    close();
  }
}

}  // namespace lamina
