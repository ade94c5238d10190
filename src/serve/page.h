// The page for people at "/": one HTML file, nothing fetched from elsewhere.
#pragma once

#include <string_view>

namespace lamina {

// src/serve/page.html, taken into the program when it is built.
std::string_view page_html();

}  // namespace lamina
