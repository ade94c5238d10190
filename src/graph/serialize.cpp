#include "graph/serialize.h"

#include "base/error.h"
#include "base/sha256.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr std::int64_t kVersion = 1;
constexpr std::string_view kFormat = "lamina-graph";

// JSON has no word for these numbers; a clip without an upper end has infinity there.
constexpr std::array<std::pair<std::string_view, double>, 2> kUnwritable = {
    {{"inf", std::numeric_limits<double>::infinity()}, {"-inf", -std::numeric_limits<double>::infinity()}}};

Json attribute_to_json(const Attribute& attribute) {
  if (const auto* number = std::get_if<double>(&attribute); number != nullptr && std::isinf(*number)) {
    return *number > 0 ? "inf" : "-inf";
  }
  return std::visit([](const auto& value) { return Json(value); }, attribute);
}

double number_from_json(const Json& object, const std::string& name, const std::string& where) {
  const Json& value = json_member(object, name, where);
  for (const auto& [word, number] : kUnwritable) {
    if (value.is_string() && value.get_ref<const std::string&>() == word) return number;
  }
  return json_number(object, name, where);
}

// The kind comes from the op's description, so that 1 and 1.0 need no marks in the file.
Attribute attribute_from_json(const Json& object, const std::string& name, const Attribute& example,
                              const std::string& where) {
  switch (example.index()) {
    case 0:
      return json_bool(object, name, where);
    case 1:
      return json_integer(object, name, where);
    case 2:
      return number_from_json(object, name, where);
    case 3:
      return json_string(object, name, where);
    default:
      return json_integers(object, name, where);
  }
}

TensorType type_from_json(const Json& json, const std::string& where) {
  return {dtype_from_string(json_string(json, "dtype", where), where), json_integers(json, "shape", where)};
}

std::string_view to_string(Weight::Role role) {
  switch (role) {
    case Weight::Role::trainable:
      return "trainable";
    case Weight::Role::non_trainable:
      return "non_trainable";
    case Weight::Role::constant:
      return "constant";
  }
  return "constant";
}

Weight::Role role_from_string(const std::string& text, const std::string& where) {
  for (const Weight::Role role :
       {Weight::Role::trainable, Weight::Role::non_trainable, Weight::Role::constant}) {
    if (to_string(role) == text) return role;
  }
  fail(ErrorCode::corrupt, "{}: role '{}', expected trainable, non_trainable or constant", where, text);
}

// Rebuilds a graph in the order in which its values were made.
class GraphReader {
 public:
  GraphReader(const Json& json, const std::function<Buffer(const std::string&)>& weight, std::string where)
      : json_(json), weight_(weight), where_(std::move(where)) {}

  Graph read() {
    if (json_string(json_, "format", where_) != kFormat ||
        json_integer(json_, "version", where_) != kVersion) {
      fail(ErrorCode::corrupt, "{}: format '{}' version {}, expected {} version {}", where_,
           json_string(json_, "format", where_), json_integer(json_, "version", where_), kFormat, kVersion);
    }
    graph_ = Graph(json_string(json_, "name", where_));
    graph_.set_training_config(json_string(json_, "training_config", where_));
    for (const Json& input : json_array(json_, "inputs", where_)) {
      const std::string name = json_string(input, "name", where_);
      ids_.push_back(graph_.add_input(name, type_from_json(input, where_ + ": input '" + name + "'")));
    }
    for (const Json& weight : json_array(json_, "weights", where_)) add_weight(weight);
    for (const Json& layer : json_array(json_, "layers", where_)) {
      graph_.begin_layer(json_string(layer, "name", where_), json_string(layer, "class", where_));
      for (const Json& node : json_array(layer, "nodes", where_)) add_node(node);
    }
    for (const Json& output : json_array(json_, "outputs", where_)) {
      graph_.add_output(json_string(output, "name", where_), value_at(json_integer(output, "value", where_)));
    }
    verify(graph_);
    return std::move(graph_);
  }

 private:
  void add_weight(const Json& weight) {
    const std::string name = json_string(weight, "name", where_);
    const std::string what = where_ + ": weight '" + name + "'";
    const std::string hash = json_string(weight, "sha256", what);
    if (!is_sha256(hash))
      fail(ErrorCode::corrupt, "{}: sha256 is '{}', expected 64 hexadecimal digits", what, hash);
    const TensorType type = type_from_json(weight, what);
    const Weight::Role role = role_from_string(json_string(weight, "role", what), what);
    ids_.push_back(graph_.add_weight(name, Tensor(type, weight_(hash)), role));
  }

  void add_node(const Json& node) {
    const std::string name = json_string(node, "op", where_);
    const OpSpec* op = find_op(name);
    if (op == nullptr) fail(ErrorCode::corrupt, "{}: there is no op '{}'", where_, name);
    Attributes attributes;
    const Json& given = json_object(node, "attributes", where_);
    for (const auto& [key, value] : given.items()) {
      const auto spec = std::find_if(op->attributes.begin(), op->attributes.end(),
                                     [&key = key](const AttributeSpec& known) { return known.name == key; });
      if (spec == op->attributes.end()) {
        fail(ErrorCode::corrupt, "{}: op '{}' has no attribute '{}'", where_, name, key);
      }
      attributes.set(key, attribute_from_json(given, key, spec->example, where_ + ": op '" + name + "'"));
    }
    std::vector<ValueId> inputs;
    for (const std::int64_t input : json_integers(node, "inputs", where_)) inputs.push_back(value_at(input));
    for (const ValueId output : graph_.add_node(name, std::move(inputs), std::move(attributes)))
      ids_.push_back(output);
  }

  ValueId value_at(std::int64_t index) const {
    if (index < 0 || static_cast<std::size_t>(index) >= ids_.size()) {
      fail(ErrorCode::corrupt, "{}: value {} is used, {} are made so far", where_, index, ids_.size());
    }
    return ids_[static_cast<std::size_t>(index)];
  }

  const Json& json_;
  const std::function<Buffer(const std::string&)>& weight_;
  const std::string where_;
  Graph graph_{""};
  std::vector<ValueId> ids_;  // by the number a value has in the file
};

Json ports_to_json(const Graph& graph, const std::vector<Port>& ports) {
  Json list = Json::array();
  for (const Port& port : ports) {
    list.push_back({{"name", port.name},
                    {"dtype", to_string(graph.type(port.value).dtype)},
                    {"shape", graph.type(port.value).shape}});
  }
  return list;
}

}  // namespace

std::string content_hash(const Tensor& weight) { return sha256(weight.data().bytes()); }

Json to_json(const Graph& graph, const std::vector<std::string>& hashes) {
  // Values are numbered as a reader meets them: inputs, weights, then the outputs of nodes.
  std::vector<std::size_t> number(graph.values().size());
  std::size_t next = 0;
  for (const Port& port : graph.inputs()) number[port.value] = next++;
  for (ValueId value = 0; value < number.size(); ++value) {
    if (graph.values()[value].kind == Value::Kind::weight) number[value] = next++;
  }
  Json weights = Json::array();
  for (std::size_t i = 0; i < graph.weights().size(); ++i) {
    const Weight& weight = graph.weights()[i];
    weights.push_back({{"name", weight.name},
                       {"dtype", to_string(weight.data.dtype())},
                       {"shape", weight.data.shape()},
                       {"role", to_string(weight.role)},
                       {"sha256", hashes.at(i)}});
  }
  Json layers = Json::array();
  for (const Layer& layer : graph.layers()) {
    layers.push_back({{"name", layer.name}, {"class", layer.class_name}, {"nodes", Json::array()}});
  }
  for (const Node& node : graph.nodes()) {
    Json attributes = Json::object();
    for (const auto& [name, value] : node.attributes.values()) attributes[name] = attribute_to_json(value);
    Json inputs = Json::array();
    for (const ValueId input : node.inputs) inputs.push_back(number[input]);
    for (const ValueId output : node.outputs) number[output] = next++;
    layers[node.layer]["nodes"].push_back(
        {{"op", node.op->name}, {"inputs", inputs}, {"attributes", attributes}});
  }
  Json outputs = Json::array();
  for (const Port& port : graph.outputs())
    outputs.push_back({{"name", port.name}, {"value", number[port.value]}});
  return {{"format", kFormat},
          {"version", kVersion},
          {"name", graph.name()},
          {"training_config", graph.training_config()},
          {"inputs", ports_to_json(graph, graph.inputs())},
          {"weights", weights},
          {"layers", layers},
          {"outputs", outputs}};
}

Graph graph_from_json(const Json& json, const std::function<Buffer(const std::string& hash)>& weight,
                      const std::string& where) {
  try {
    return GraphReader(json, weight, where).read();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_argument && error.code() != ErrorCode::unsupported) throw;
    const std::string_view reason = error.what();
    if (reason.starts_with(where)) throw Error(ErrorCode::corrupt, error.what());
    fail(ErrorCode::corrupt, "{}: {}", where, reason);
  }
}

}  // namespace lamina
