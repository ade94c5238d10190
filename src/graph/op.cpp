#include "graph/op.h"

#include "base/error.h"
#include "graph/ops/families.h"

#include <algorithm>
#include <utility>

namespace lamina {

namespace {

constexpr std::string_view kKindNames[] = {"true or false", "an integer", "a number", "a text",
                                           "a list of integers"};

template <typename T>
const T& get(const Attributes& attributes, std::string_view name) {
  const Attribute* attribute = attributes.find(name);
  const T* value = attribute == nullptr ? nullptr : std::get_if<T>(attribute);
  if (value == nullptr) fail(ErrorCode::internal, "attribute '{}' is missing or of another kind", name);
  return *value;
}

std::vector<const OpSpec*> sorted_ops() {
  std::vector<const OpSpec*> ops;
  for (const auto& family : {elementwise_ops(), linear_ops(), window_ops(), reduction_ops(),
                             normalization_ops(), movement_ops()}) {
    for (const OpSpec& op : family) ops.push_back(&op);
  }
  std::sort(ops.begin(), ops.end(), [](const OpSpec* a, const OpSpec* b) { return a->name < b->name; });
  return ops;
}

// A number may be written without a fraction, as 1 for 1.0.
Attribute checked(const OpSpec& op, const AttributeSpec& spec, Attribute given) {
  if (spec.example.index() == 2 && given.index() == 1)
    given = static_cast<double>(std::get<std::int64_t>(given));
  if (given.index() != spec.example.index()) {
    fail(ErrorCode::invalid_argument, "attribute '{}' of op '{}' is {}, expected {}", spec.name, op.name,
         kKindNames[given.index()], kKindNames[spec.example.index()]);
  }
  if (const auto* text = std::get_if<std::string>(&given); text != nullptr && !spec.allowed.empty()) {
    if (std::find(spec.allowed.begin(), spec.allowed.end(), *text) == spec.allowed.end()) {
      fail(ErrorCode::invalid_argument, "attribute '{}' of op '{}' is '{}', expected one of: {}", spec.name,
           op.name, *text, fmt::join(spec.allowed, ", "));
    }
  }
  return given;
}

}  // namespace

const Attribute* Attributes::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

bool Attributes::boolean(std::string_view name) const { return get<bool>(*this, name); }
std::int64_t Attributes::integer(std::string_view name) const { return get<std::int64_t>(*this, name); }
double Attributes::number(std::string_view name) const { return get<double>(*this, name); }
const std::string& Attributes::text(std::string_view name) const { return get<std::string>(*this, name); }
const std::vector<std::int64_t>& Attributes::integers(std::string_view name) const {
  return get<std::vector<std::int64_t>>(*this, name);
}

const std::vector<const OpSpec*>& all_ops() {
  static const std::vector<const OpSpec*> kOps = sorted_ops();
  return kOps;
}

const OpSpec* find_op(std::string_view name) {
  const auto& ops = all_ops();
  const auto found =
      std::lower_bound(ops.begin(), ops.end(), name,
                       [](const OpSpec* op, std::string_view wanted) { return op->name < wanted; });
  return found != ops.end() && (*found)->name == name ? *found : nullptr;
}

Attributes complete_attributes(const OpSpec& op, Attributes given) {
  Attributes complete;
  for (const AttributeSpec& spec : op.attributes) {
    const Attribute* value = given.find(spec.name);
    if (value == nullptr && spec.required) {
      fail(ErrorCode::invalid_argument, "op '{}' needs attribute '{}'", op.name, spec.name);
    }
    complete.set(std::string(spec.name), value == nullptr ? spec.example : checked(op, spec, *value));
  }
  for (const auto& [name, value] : given.values()) {
    if (complete.find(name) == nullptr) {
      fail(ErrorCode::invalid_argument, "op '{}' has no attribute '{}'", op.name, name);
    }
  }
  return complete;
}

}  // namespace lamina
