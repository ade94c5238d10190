#include "serve/response.h"
#include "serve/session.h"
#include "serve/text_view.h"

#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/beast/http/write.hpp>

namespace lamina {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

// While a request is answered, this much of what follows it is read ahead; more waits in the network.
constexpr std::size_t kReadAhead = 64 << 10;
// The orchestrator answers by its deadline; if it should not, the client is answered this much later.
constexpr std::chrono::milliseconds kAnswerGrace{500};

}  // namespace

// How a connection gives the answer out.

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
  response_.emplace(make_response(std::move(reply), version, keep_alive_));
  serializer_.emplace(*response_);

  arm(context_.options.header_timeout + least_rate_time(context_.options, head ? 0 : size));
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
  intake_.release();
  if (!error && keep_alive_) {
    next_request();
  } else if (!error && unread_) {
    linger();
  } else {
    close();
  }
}

}  // namespace lamina
