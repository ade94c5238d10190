#include "cluster/status.h"

namespace lamina {

namespace {

grpc::StatusCode to_grpc(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case ErrorCode::not_found:
      return grpc::StatusCode::NOT_FOUND;
    case ErrorCode::already_exists:
      return grpc::StatusCode::ALREADY_EXISTS;
    case ErrorCode::unsupported:
      return grpc::StatusCode::UNIMPLEMENTED;
    case ErrorCode::corrupt:
      return grpc::StatusCode::DATA_LOSS;
    case ErrorCode::out_of_memory:
    case ErrorCode::resource_exhausted:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case ErrorCode::unavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case ErrorCode::deadline_exceeded:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case ErrorCode::cancelled:
      return grpc::StatusCode::CANCELLED;
    case ErrorCode::io:
    case ErrorCode::internal:
      return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::INTERNAL;
}

ErrorCode from_grpc(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::UNAVAILABLE:
      return ErrorCode::unavailable;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return ErrorCode::deadline_exceeded;
    case grpc::StatusCode::CANCELLED:
      return ErrorCode::cancelled;
    case grpc::StatusCode::UNIMPLEMENTED:
      return ErrorCode::unsupported;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return ErrorCode::resource_exhausted;
    default:
      return ErrorCode::internal;
  }
}

}  // namespace

grpc::Status to_status(const Error& error) {
  return {to_grpc(error.code()), error.what(), std::string(to_string(error.code()))};
}

void throw_if_failed(const grpc::Status& status, const std::string& peer) {
  if (status.ok()) return;
  if (!status.error_details().empty()) {
    throw Error(error_code_from_string(status.error_details()), status.error_message());
  }
  const ErrorCode code = from_grpc(status.error_code());
  if (code == ErrorCode::deadline_exceeded) fail(code, "{} did not answer in time", peer);
  fail(code, "{} can't be reached: {}", peer, status.error_message());
}

}  // namespace lamina
