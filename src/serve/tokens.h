// Tokens of clients, and what each may ask for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lamina {

// What an endpoint asks of its callers.
enum class Right : std::uint8_t {
  none,     // open to everybody
  look,     // what is served, and how well: every known client
  predict,  // to use the model
  watch,    // figures for operators
  operate,  // to connect and load stages
};

// What a client is there for. Each may look.
enum class Role : std::uint8_t { all, predict, watch };

bool may(Role role, Right right);
std::string_view to_string(Role role);

struct Token {
  std::string text;
  Role role = Role::all;
};

// Of a file with one token a line, alone or followed by a space and what it is for, 'predict' or 'watch';
// empty lines and lines that begin with '#' are skipped. Error names file and line, never the token.
std::vector<Token> load_tokens(const std::filesystem::path& path);

// Tokens by their SHA-256: all of one length, whatever theirs, and not to be read from memory.
class TokenList {
 public:
  struct Entry {
    std::string hash;
    Role role = Role::all;
  };
  explicit TokenList(const std::vector<Token>& tokens);
  // Takes as long whichever it is, and where it is none of them.
  std::optional<Entry> find(std::string_view token) const;

 private:
  std::vector<Entry> entries_;
};

}  // namespace lamina
