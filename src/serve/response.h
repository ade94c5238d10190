// A reply as the message that Beast sends.
#pragma once

#include "serve/body.h"
#include "serve/reply.h"

#include <boost/beast/http/message.hpp>

namespace lamina {

// Of HTTP/1.0 or 1.1 as `version` has it, 10 or 11.
boost::beast::http::response<ReplyBody> make_response(Reply reply, unsigned version, bool keep_alive);

}  // namespace lamina
