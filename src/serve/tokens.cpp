#include "serve/tokens.h"

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"

#include <algorithm>
#include <cctype>
#include <sstream>

#include <openssl/crypto.h>

namespace lamina {

namespace {

constexpr std::uint64_t kMaxFile = 1U << 20U;
constexpr std::size_t kLeastToken = 16;
constexpr std::size_t kMostToken = 512;

// RFC 6750, section 2.1.
bool is_token_character(unsigned char c) {
  return std::isalnum(c) != 0 ||
         std::string_view("-._~+/=").find(static_cast<char>(c)) != std::string_view::npos;
}

Role role_from_string(const std::string& word, const std::string& where) {
  for (const Role role : {Role::predict, Role::watch}) {
    if (word == to_string(role)) return role;
  }
  // The word is not shown: it may be the second half of a token.
  fail(ErrorCode::invalid_argument, "{}: after the token expected nothing, 'predict' or 'watch'", where);
}

}  // namespace

bool may(Role role, Right right) {
  switch (right) {
    case Right::none:
    case Right::look:
      return true;
    case Right::predict:
      return role != Role::watch;
    case Right::watch:
      return role != Role::predict;
    default:
      return role == Role::all;
  }
}

std::string_view to_string(Role role) {
  switch (role) {
    case Role::predict:
      return "predict";
    case Role::watch:
      return "watch";
    default:
      return "all";
  }
}

std::vector<Token> load_tokens(const std::filesystem::path& path) {
  std::istringstream lines(read_file(path, kMaxFile));
  std::vector<Token> tokens;
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line);
    std::string text;
    std::string role;
    std::string rest;
    if (!(words >> text) || text.front() == '#') continue;
    const std::string where = fmt::format("{}, line {}", path.string(), number);
    if (text.size() < kLeastToken || text.size() > kMostToken ||
        !std::all_of(text.begin(), text.end(), is_token_character)) {
      fail(ErrorCode::invalid_argument,
           "{}: expected a token of {} to {} letters, digits or -._~+/=, such as 'openssl rand -hex 32' "
           "prints",
           where, kLeastToken, kMostToken);
    }
    words >> role;
    if (words >> rest) fail(ErrorCode::invalid_argument, "{}: expected a token and at most one word", where);
    tokens.push_back({text, role.empty() ? Role::all : role_from_string(role, where)});
  }
  if (tokens.empty()) fail(ErrorCode::invalid_argument, "'{}' has no token", path.string());
  return tokens;
}

TokenList::TokenList(const std::vector<Token>& tokens) {
  for (const Token& token : tokens) entries_.push_back({sha256(token.text), token.role});
}

std::optional<TokenList::Entry> TokenList::find(std::string_view token) const {
  const std::string hash = sha256(token);
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {
    if (CRYPTO_memcmp(entry.hash.data(), hash.data(), hash.size()) == 0) found = &entry;
  }
  if (found == nullptr) return std::nullopt;
  return *found;
}

}  // namespace lamina
