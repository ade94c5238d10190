#include "serve/reply.h"

#include <span>

namespace lamina {

std::uint64_t body_size(const Reply& reply) {
  std::uint64_t size = 0;
  for (const Buffer& part : reply.body) size += part.size();
  return size;
}

Reply text_reply(unsigned status, std::string_view text, std::string_view type) {
  Reply reply;
  reply.status = status;
  reply.content_type = type;
  if (!text.empty()) reply.body.push_back(Buffer::copy(std::as_bytes(std::span(text.data(), text.size()))));
  return reply;
}

Reply json_reply(unsigned status, const Json& json) {
  // Names in a status come from files and peers: bytes that are no UTF-8 must not break the answer.
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text_reply(status, text + "\n", "application/json");
}

Reply error_reply(unsigned status, std::string_view code, std::string_view message) {
  Json error;
  error["error"]["code"] = code;
  error["error"]["message"] = message;
  Reply reply = json_reply(status, error);
  if (status == 503) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

Reply error_reply(const Error& error) {
  return error_reply(http_status(error.code()), to_string(error.code()), error.what());
}

unsigned http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::corrupt:
      return 400;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::already_exists:
      return 409;
    case ErrorCode::unsupported:
      return 415;
    case ErrorCode::out_of_memory:
      return 507;
    case ErrorCode::resource_exhausted:
    case ErrorCode::unavailable:
      return 503;
    case ErrorCode::deadline_exceeded:
      return 504;
    case ErrorCode::cancelled:
      return 499;
    case ErrorCode::io:
    case ErrorCode::internal:
      return 500;
  }
  return 500;
}

}  // namespace lamina
