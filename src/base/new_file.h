// A file that must not have been there before.
#pragma once

#include <filesystem>
#include <string_view>

namespace lamina {

// Writes a file of this mode, whatever the user's mask, and flushes it to disk. What stands there, a link
// too, is left alone: Error(already_exists). On another error there is no file.
void write_new_file(const std::filesystem::path& path, std::string_view text, unsigned mode);

}  // namespace lamina
