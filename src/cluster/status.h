// Errors as gRPC statuses and back. The code's own name travels in the details, so nothing is lost on the
// way.
#pragma once

#include "base/error.h"

#include <string>

#include <grpcpp/support/status.h>

namespace lamina {

grpc::Status to_status(const Error& error);

// Throws the Error in `status`; `peer` ("worker 'vm4' at 10.0.0.4:7070") stands in the message of errors that
// gRPC itself made. Does nothing for OK.
void throw_if_failed(const grpc::Status& status, const std::string& peer);

}  // namespace lamina
