// JSON from outside: bounded parsing, and getters whose errors name the key, its value and what was expected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace lamina {

using Json = nlohmann::json;

// Parses `text`, which came from `where` (a file or a peer, named in errors).
// Throws Error(corrupt) on bad JSON or on nesting deeper than 256.
Json parse_json(std::string_view text, const std::string& where);

// The members below throw Error(corrupt) that names `where`, the key, the value found and the type expected.
const Json& json_member(const Json& object, const std::string& key, const std::string& where);
std::string json_string(const Json& object, const std::string& key, const std::string& where);
std::int64_t json_integer(const Json& object, const std::string& key, const std::string& where);
// An integer that must be at least zero.
std::uint64_t json_size(const Json& object, const std::string& key, const std::string& where);
// A finite number.
double json_number(const Json& object, const std::string& key, const std::string& where);
// A finite number that is not negative.
double json_magnitude(const Json& object, const std::string& key, const std::string& where);
bool json_bool(const Json& object, const std::string& key, const std::string& where);
const Json& json_array(const Json& object, const std::string& key, const std::string& where);
const Json& json_object(const Json& object, const std::string& key, const std::string& where);
std::vector<std::int64_t> json_integers(const Json& object, const std::string& key, const std::string& where);
std::vector<std::string> json_strings(const Json& object, const std::string& key, const std::string& where);

// A value as text for an error message, cut at `limit` characters.
std::string json_excerpt(const Json& value, std::size_t limit = 120);

}  // namespace lamina
