// The answer to a request, before it becomes bytes of HTTP.
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lamina {

struct Reply {
  unsigned status = 200;
  std::string content_type;
  std::vector<Buffer> body;  // parts, sent one after another without being copied together
  std::vector<std::pair<std::string, std::string>> headers;  // beside Content-Type and Content-Length
};

std::uint64_t body_size(const Reply& reply);

Reply text_reply(unsigned status, std::string_view text, std::string_view type = "text/plain; charset=utf-8");
Reply json_reply(unsigned status, const Json& json);

// {"error":{"code","message"}}; statuses that say "try later" carry Retry-After.
Reply error_reply(unsigned status, std::string_view code, std::string_view message);
Reply error_reply(const Error& error);

// invalid_argument, corrupt 400 · not_found 404 · already_exists 409 · unsupported 415 · out_of_memory 507 ·
// resource_exhausted, unavailable 503 · deadline_exceeded 504 · cancelled 499 · io, internal 500.
unsigned http_status(ErrorCode code);

}  // namespace lamina
