#include "serve/request_check.h"

#include "serve/text_view.h"

#include <string_view>

#include <boost/beast/core/string.hpp>

namespace lamina {

namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr std::size_t kMostShown = 80;

Refusal refuse(unsigned status, const char* code, const std::string& message) {
  return {error_reply(status, code, message), true};
}

// A header that may stand there with one value only.
std::optional<Refusal> expect_only(const RequestParser& parser, http::field field, beast::string_view value,
                                   unsigned status) {
  const auto& request = parser.get();
  if (request.count(field) == 0 || beast::iequals(request[field], value)) return std::nullopt;
  return refuse(status, "unsupported",
                fmt::format("{} is '{}', expected {} or none", view(http::to_string(field)),
                            view(request[field]).substr(0, kMostShown), view(value)));
}

}  // namespace

Reply too_large(const std::string& size, std::uint64_t limit) {
  return error_reply(413, "invalid_argument",
                     fmt::format("the body has {} bytes, expected at most {}", size, limit));
}

std::optional<Refusal> check_framing(const RequestParser& parser) {
  const auto& request = parser.get();
  if (request.version() >= 11 && request.count(http::field::host) != 1) {
    return refuse(
        400, "invalid_argument",
        fmt::format("the request has {} Host headers, expected one", request.count(http::field::host)));
  }
  return expect_only(parser, http::field::transfer_encoding, "chunked", 501);
}

std::optional<Refusal> check_content(const RequestParser& parser, const Api::Route* route,
                                     const std::string& path, std::uint64_t max_body_bytes) {
  const auto& request = parser.get();
  if (std::optional<Reply> refusal = Api::refuse(route, view(request.method_string()), path)) {
    return Refusal{std::move(*refusal)};
  }
  const std::string_view from = view(request["Sec-Fetch-Site"]);
  if (route->right != Right::none && !from.empty() && from != "same-origin" && from != "none") {
    return refuse(403, "permission_denied", "a page of another site has no say here");
  }
  if (auto refusal = expect_only(parser, http::field::content_encoding, "identity", 415)) return refusal;
  if (auto refusal = expect_only(parser, http::field::expect, "100-continue", 417)) return refusal;
  const auto length = parser.content_length();
  if (request.method() == http::verb::post && !length && !parser.chunked()) {
    return refuse(411, "invalid_argument", "a POST needs Content-Length or Transfer-Encoding: chunked");
  }
  if (length && *length > max_body_bytes) {
    return Refusal{too_large(std::to_string(*length), max_body_bytes), true};
  }
  return std::nullopt;
}

}  // namespace lamina
