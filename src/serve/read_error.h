// What a client is told whose request could not be read.
#pragma once

#include "serve/body_intake.h"
#include "serve/http_options.h"
#include "serve/reply.h"

#include <optional>

#include <boost/system/error_code.hpp>

namespace lamina {

// Nothing where the client went away. `timed_out`: it was cut off for being slow.
std::optional<Reply> reply_to_header_error(const boost::system::error_code& error, bool timed_out,
                                           const HttpOptions& options);
std::optional<Reply> reply_to_body_error(const boost::system::error_code& error, bool timed_out,
                                         const BodyIntake& intake, const HttpOptions& options);

}  // namespace lamina
