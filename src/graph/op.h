// The primitive operations of a Graph. Each is described once, here: attributes, shape rule, cost.
//
// Names and meaning follow keras.ops where it has the operation, else ONNX. Images are channels last.
#pragma once

#include "graph/types.h"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lamina {

using Attribute = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>>;

// A node's attributes by name, complete: defaults are filled in when a node is added.
class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<const std::string, Attribute>> values) : values_(values) {}

  // Each getter throws Error(internal) if the name is missing or of another kind: ops are verified on entry.
  bool boolean(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;
  const std::string& text(std::string_view name) const;
  const std::vector<std::int64_t>& integers(std::string_view name) const;

  void set(std::string name, Attribute value) { values_[std::move(name)] = std::move(value); }
  const Attribute* find(std::string_view name) const;
  const std::map<std::string, Attribute, std::less<>>& values() const { return values_; }
  bool operator==(const Attributes&) const = default;

 private:
  std::map<std::string, Attribute, std::less<>> values_;
};

// One attribute an op takes. No default means it must be given; the kind is that of `example`.
struct AttributeSpec {
  std::string_view name;
  Attribute example;  // its alternative gives the kind; its value is the default
  bool required = false;
  std::vector<std::string_view> allowed = {};  // for text: the values that may be given; empty for any
};

struct OpSpec {
  std::string_view name;
  int min_inputs = 1;
  int max_inputs = 1;  // -1 for any number
  std::vector<AttributeSpec> attributes;
  // Types of the outputs. Called with complete attributes and a checked number of inputs; throws
  // Error(invalid_argument) that says which sizes don't go together. Must cope with symbolic sizes.
  std::vector<TensorType> (*infer)(const Attributes& attributes, std::span<const TensorType> inputs);
  // Floating point operations of one run (a multiply-add counts 2) with all shapes concrete.
  double (*flops)(const Attributes& attributes, std::span<const TensorType> inputs,
                  std::span<const TensorType> outputs);
};

// The op of that name, or nullptr. The reference lives as long as the program.
const OpSpec* find_op(std::string_view name);

// All ops, sorted by name.
const std::vector<const OpSpec*>& all_ops();

// Checks kinds and names of `given` against the op's and fills in defaults.
// Throws Error(invalid_argument) that names the op, the attribute and what was expected.
Attributes complete_attributes(const OpSpec& op, Attributes given);

}  // namespace lamina
