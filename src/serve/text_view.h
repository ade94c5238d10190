// Beast's views of text as those of the standard library.
#pragma once

#include <string_view>

#include <boost/beast/core/string_type.hpp>

namespace lamina {

inline std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace lamina
