#include "serve/response.h"

#include <array>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

#include <boost/beast/http/field.hpp>

namespace lamina {

namespace {

namespace http = boost::beast::http;

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

http::response<ReplyBody> make_response(Reply reply, unsigned version, bool keep_alive) {
  http::response<ReplyBody> response;
  response.version(version);
  response.result(reply.status);
  if (reply.status == 499) response.reason("Client Closed Request");
  if (reply.status == 507) response.reason("Insufficient Storage");
  response.set(http::field::server, "lamina");
  response.set(http::field::date, http_date());
  response.set(http::field::content_type, reply.content_type);
  response.set("X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : reply.headers) response.set(name, value);
  response.keep_alive(keep_alive);
  response.content_length(body_size(reply));
  response.body() = std::move(reply.body);
  return response;
}

}  // namespace lamina
