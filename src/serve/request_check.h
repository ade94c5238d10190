// What the headers of a request alone earn, before any of its body is read.
#pragma once

#include "serve/api.h"
#include "serve/body.h"
#include "serve/reply.h"

#include <cstdint>
#include <optional>
#include <string>

#include <boost/beast/http/parser.hpp>

namespace lamina {

using RequestParser = boost::beast::http::request_parser<RequestBody>;

struct Refusal {
  Reply reply;
  bool close = false;  // where the next request begins is not certain
};

// Whether it is certain where the request ends and whom it asks. Comes before all else: whatever is answered,
// the connection goes on at the right place or not at all.
std::optional<Refusal> check_framing(const RequestParser& parser);

// Whether `route`, found for `path`, takes such a request. A browser that asks for the page of another site
// (Sec-Fetch-Site, https://www.w3.org/TR/fetch-metadata/) gets what is open to everybody alone.
std::optional<Refusal> check_content(const RequestParser& parser, const Api::Route* route,
                                     const std::string& path, std::uint64_t max_body_bytes);

// 413; `size` is what the body has.
Reply too_large(const std::string& size, std::uint64_t limit);

}  // namespace lamina
