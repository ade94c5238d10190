#include "base/json.h"

#include "base/error.h"

#include <cmath>

namespace lamina {

namespace {

constexpr int kMaxDepth = 256;

[[noreturn]] void wrong_type(const Json& value, const std::string& key, const std::string& where,
                             std::string_view expected) {
  fail(ErrorCode::corrupt, "{}: '{}' is {}, expected {}", where, key, json_excerpt(value), expected);
}

std::int64_t as_integer(const Json& value, const std::string& key, const std::string& where) {
  if (!value.is_number_integer()) wrong_type(value, key, where, "an integer");
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    wrong_type(value, key, where, "an integer below 2^63");
  }
  return value.get<std::int64_t>();
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  const auto bounded = [&where](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth) fail(ErrorCode::corrupt, "{}: JSON nested deeper than {}", where, kMaxDepth);
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), bounded);
  } catch (const Json::exception& error) {
    fail(ErrorCode::corrupt, "{}: not valid JSON: {}", where, error.what());
  }
}

const Json& json_member(const Json& object, const std::string& key, const std::string& where) {
  if (!object.is_object()) {
    fail(ErrorCode::corrupt, "{}: found {}, expected an object with '{}'", where, json_excerpt(object), key);
  }
  const auto found = object.find(key);
  if (found == object.end()) fail(ErrorCode::corrupt, "{}: '{}' is missing", where, key);
  return *found;
}

std::string json_string(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = json_member(object, key, where);
  if (!value.is_string()) wrong_type(value, key, where, "a string");
  return value.get<std::string>();
}

std::int64_t json_integer(const Json& object, const std::string& key, const std::string& where) {
  return as_integer(json_member(object, key, where), key, where);
}

std::uint64_t json_size(const Json& object, const std::string& key, const std::string& where) {
  const std::int64_t value = json_integer(object, key, where);
  if (value < 0) wrong_type(value, key, where, "an integer that is not negative");
  return static_cast<std::uint64_t>(value);
}

double json_number(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = json_member(object, key, where);
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    wrong_type(value, key, where, "a finite number");
  }
  return value.get<double>();
}

double json_magnitude(const Json& object, const std::string& key, const std::string& where) {
  const double value = json_number(object, key, where);
  if (value < 0) fail(ErrorCode::corrupt, "{}: '{}' is {}, expected at least 0", where, key, value);
  return value;
}

bool json_bool(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = json_member(object, key, where);
  if (!value.is_boolean()) wrong_type(value, key, where, "true or false");
  return value.get<bool>();
}

const Json& json_array(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = json_member(object, key, where);
  if (!value.is_array()) wrong_type(value, key, where, "a list");
  return value;
}

const Json& json_object(const Json& object, const std::string& key, const std::string& where) {
  const Json& value = json_member(object, key, where);
  if (!value.is_object()) wrong_type(value, key, where, "an object");
  return value;
}

std::vector<std::int64_t> json_integers(const Json& object, const std::string& key,
                                        const std::string& where) {
  std::vector<std::int64_t> integers;
  for (const Json& value : json_array(object, key, where)) integers.push_back(as_integer(value, key, where));
  return integers;
}

std::vector<std::string> json_strings(const Json& object, const std::string& key, const std::string& where) {
  std::vector<std::string> strings;
  for (const Json& value : json_array(object, key, where)) {
    if (!value.is_string()) wrong_type(value, key, where, "a list of strings");
    strings.push_back(value.get<std::string>());
  }
  return strings;
}

std::string json_excerpt(const Json& value, std::size_t limit) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > limit) text = text.substr(0, limit) + "…";
  return text;
}

}  // namespace lamina
