#include "serve/read_error.h"

#include "serve/request_check.h"

#include <boost/asio/error.hpp>
#include <boost/beast/http/error.hpp>

namespace lamina {

namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

// Not an end of the connection, but bytes that can't stand there.
bool is_no_http(const error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_target).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

}  // namespace

std::optional<Reply> reply_to_header_error(const error_code& error, bool timed_out,
                                           const HttpOptions& options) {
  if (timed_out) return error_reply(408, "deadline_exceeded", "the request's headers took too long to come");
  if (error == http::error::header_limit) {
    return error_reply(
        431, "invalid_argument",
        fmt::format("the request's headers have more than {} bytes", options.max_header_bytes));
  }
  if (error == http::error::bad_version)
    return error_reply(505, "unsupported", "expected HTTP/1.0 or HTTP/1.1");
  if (is_no_http(error))
    return error_reply(400, "invalid_argument", "the request is no HTTP: " + error.message());
  return std::nullopt;
}

std::optional<Reply> reply_to_body_error(const error_code& error, bool timed_out, const BodyIntake& intake,
                                         const HttpOptions& options) {
  if (timed_out) {
    return error_reply(408, "deadline_exceeded",
                       fmt::format("the request's body came too slowly: {} bytes in {:.1f} s",
                                   intake.received(), intake.seconds()));
  }
  if (error == http::error::body_limit) return too_large("more", options.max_body_bytes);
  if (error == boost::asio::error::no_memory)
    return error_reply(507, "out_of_memory", "the server has no memory left for this body");
  if (is_no_http(error))
    return error_reply(400, "invalid_argument", "the request's body is no HTTP: " + error.message());
  return std::nullopt;
}

}  // namespace lamina
