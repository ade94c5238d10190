#include "keras/model_builder.h"

#include "base/error.h"
#include "keras/layer.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr int kMaxNesting = 32;
constexpr std::size_t kMaxCalls = 100'000;

// keras.src.utils.naming.to_snake_case: "DepthwiseConv2D" is "depthwise_conv2d".
std::string to_snake_case(const std::string& name) {
  const auto upper = [](char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; };
  const auto lower = [](char c) { return std::islower(static_cast<unsigned char>(c)) != 0; };
  std::string words;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') words += c;
  }
  // First an underscore before a capital with small letters after it, then between a small letter and a
  // capital.
  std::string first;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0 && upper(words[i]) && i + 1 < words.size() && lower(words[i + 1]) && !first.empty() &&
        first.back() != '_') {
      first += '_';
    }
    first += words[i];
  }
  std::string second;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (i > 0 && upper(first[i]) && lower(first[i - 1])) second += '_';
    second += static_cast<char>(std::tolower(static_cast<unsigned char>(first[i])));
  }
  return second;
}

// A tensor inside a model: the output of one call of a layer.
struct TensorRef {
  std::string layer;
  std::int64_t node = 0;
  std::int64_t tensor = 0;
};

bool is_sequential(const std::string& class_name) { return class_name == "Sequential"; }
bool is_functional(const std::string& class_name) {
  return class_name == "Functional" || class_name == "Model";
}

// Anything with layers and their connections in its configuration is a functional model, whatever its class
// is called.
bool is_model(const std::string& class_name, const Json& config) {
  return is_sequential(class_name) || is_functional(class_name) ||
         (config.is_object() && config.contains("layers") && config.contains("input_layers"));
}

class ModelBuilder {
 public:
  ModelBuilder(const ModelSource& source, const ReadOptions& options)
      : source_(source), options_(options), graph_(model_name(source)) {}

  Graph build() {
    const Json& config = source_.model["config"];
    const std::string class_name = json_string(source_.model, "class_name", source_.file);
    const Scope scope;
    std::vector<std::pair<std::string, ValueId>> outputs;
    if (is_sequential(class_name)) {
      outputs = build_sequential(config, scope, nullptr);
    } else if (is_model(class_name, config)) {
      outputs = build_functional(config, scope, nullptr);
    } else {
      fail(ErrorCode::unsupported,
           "'{}' holds a model of class '{}' that has code of its own; expected Sequential or functional",
           source_.file, class_name);
    }
    std::map<std::string, int> used;
    for (const auto& [name, value] : outputs) {
      const int count = used[name]++;
      graph_.add_output(count == 0 ? name : fmt::format("{}_{}", name, count), value);
    }
    verify(graph_);
    return std::move(graph_);
  }

 private:
  // Where in a nest of models the builder is.
  struct Scope {
    std::vector<std::string> names;     // of the models around, the outermost left out
    std::string prefix;                 // for names of layers: "encoder/"
    std::string path;                   // in Keras 3's tree of weights: "layers/functional/"
    std::vector<std::size_t> position;  // among the layers of each model around
    bool frozen = false;
    int depth = 0;
  };

  static std::string model_name(const ModelSource& source) {
    const Json config = source.model.value("config", Json());
    return config.is_object() && config.contains("name") && config["name"].is_string()
               ? config["name"].get<std::string>()
               : "model";
  }

  // --- layers of one model ---

  struct LayerEntryOfModel {
    std::string name;
    std::string class_name;
    Json json;
    std::unique_ptr<LayerInstance> instance;
    Scope inner;  // for a nested model
  };

  // Keras numbers the layers of a container by class, in their order: conv2d, conv2d_1, …
  static std::string unique_name(const std::string& class_name, std::map<std::string, int>& used) {
    const std::string name = to_snake_case(class_name);
    const auto [found, fresh] = used.emplace(name, 0);
    return fresh ? name : fmt::format("{}_{}", name, ++found->second);
  }

  // Operators and functions of keras.ops, which stand among the layers of a configuration. An .h5 file of
  // Keras 3 leaves the module out; there an operation lacks what every layer has.
  static bool is_operation(const Json& layer) {
    const Json module = layer.value("module", Json());
    if (module.is_string()) return module.get<std::string>().starts_with("keras.src.ops");
    const Json config = layer.value("config", Json());
    const Json class_name = layer.value("class_name", Json());
    return config.is_object() && !config.contains("trainable") && !config.contains("dtype") &&
           class_name.is_string() && find_operation(class_name.get<std::string>()) != nullptr;
  }

  LayerEntryOfModel make_entry(const Json& layer, std::size_t index, const Scope& scope,
                               std::map<std::string, int>& used) {
    LayerEntryOfModel entry;
    entry.class_name = json_string(layer, "class_name", source_.file);
    const Json& config =
        json_object(layer, "config", source_.file + ": a layer of class " + entry.class_name);
    entry.name = layer.contains("name") && layer["name"].is_string()
                     ? layer["name"].get<std::string>()
                     : json_string(config, "name", source_.file);
    entry.json = layer;
    std::string path = scope.path;
    if (!is_operation(layer)) path += "layers/" + unique_name(entry.class_name, used);
    std::vector<std::string> names = scope.names;
    names.push_back(entry.name);
    std::vector<std::size_t> position = scope.position;
    position.push_back(index);
    const bool frozen = scope.frozen || config.value("trainable", Json()) == Json(false);
    entry.inner = {names, scope.prefix + entry.name + "/", path + "/", position, frozen, scope.depth + 1};
    entry.instance = std::make_unique<LayerInstance>();
    entry.instance->name = scope.prefix + entry.name;
    entry.instance->class_name = entry.class_name;
    entry.instance->config = config;
    entry.instance->place = {names, path, position, frozen};
    return entry;
  }

  std::string describe(const LayerEntryOfModel& entry) const {
    return fmt::format("layer '{}' ({}) in '{}'", entry.instance->name, entry.class_name, source_.file);
  }

  // --- inputs ---

  static const Json* find_batch_shape(const Json& config) {
    for (const char* key : {"batch_shape", "batch_input_shape"}) {
      if (config.is_object() && config.contains(key) && config[key].is_array()) return &config[key];
    }
    return nullptr;
  }

  ValueId add_input(const std::string& name, const Json& batch_shape, const Json& dtype, bool only_input) {
    const std::string where = fmt::format("input '{}' of '{}'", name, source_.file);
    Shape shape;
    for (const Json& size : batch_shape) {
      const bool known = size.is_number_integer() && size.get<std::int64_t>() >= 1;
      if (!known && !size.is_null()) {
        fail(ErrorCode::corrupt, "{}: its shape is {}, expected sizes of at least 1", where,
             json_excerpt(batch_shape));
      }
      shape.push_back(known ? size.get<std::int64_t>() : kBatch);
    }
    if (shape.empty())
      fail(ErrorCode::unsupported, "{}: it is a scalar, expected a batch of something", where);
    auto given = options_.input_shapes.find(name);
    if (given == options_.input_shapes.end() && only_input) given = options_.input_shapes.find("");
    if (given != options_.input_shapes.end()) shape = merge_shapes(shape, given->second, where);
    if (std::count(shape.begin() + 1, shape.end(), kBatch) > 0) {
      fail(ErrorCode::invalid_argument, "{}: its shape {} leaves sizes open; give them with --input-shape",
           where, json_excerpt(batch_shape));
    }
    std::string type = dtype.is_string() ? dtype.get<std::string>() : "float32";
    if (is_floating(dtype_from_string(type, where))) type = "float32";
    const DType kept = dtype_from_string(type, where);
    return graph_.add_input(name, {kept, shape});
  }

  static Shape merge_shapes(const Shape& model, const Shape& given, const std::string& where) {
    bool fits = model.size() == given.size();
    for (std::size_t axis = 1; fits && axis < model.size(); ++axis)
      fits = model[axis] < 0 || model[axis] == given[axis];
    if (!fits) {
      fail(ErrorCode::invalid_argument, "{}: --input-shape gives {}, the model has {}", where,
           to_string(given), to_string(model));
    }
    Shape merged = given;
    merged[0] = model[0];
    return merged;
  }

  // --- calls ---

  std::vector<ValueId> call_layer(LayerEntryOfModel& entry, std::vector<ValueId> inputs,
                                  const Json& arguments) {
    if (++calls_ > kMaxCalls)
      fail(ErrorCode::corrupt, "'{}' calls layers more than {} times", source_.file, kMaxCalls);
    const Json& config = entry.instance->config;
    if (is_model(entry.class_name, config)) {
      if (entry.inner.depth > kMaxNesting) {
        fail(ErrorCode::corrupt, "'{}' nests models deeper than {}", source_.file, kMaxNesting);
      }
      const auto outputs = is_sequential(entry.class_name)
                               ? build_sequential(config, entry.inner, &inputs, &entry)
                               : build_functional(config, entry.inner, &inputs, &entry);
      std::vector<ValueId> values;
      for (const auto& output : outputs) values.push_back(output.second);
      return values;
    }
    const LayerFunction lower = find_function(entry);
    if (lower == nullptr) {
      fail(ErrorCode::unsupported, "{}: layers of this class can't be read yet", describe(entry));
    }
    const int count = ++calls_of_[entry.instance->name];
    graph_.begin_layer(count == 1 ? entry.instance->name : fmt::format("{}#{}", entry.instance->name, count),
                       entry.class_name);
    const std::size_t nodes = graph_.nodes().size();
    LayerCall call(graph_, *source_.weights, *entry.instance, inputs, arguments, source_.keras_major,
                   source_.file);
    std::vector<ValueId> outputs = lower(call);
    // Every call leaves a mark, an activation "linear" too, so that layers and calls are one to one.
    if (graph_.nodes().size() == nodes) {
      for (ValueId& output : outputs) output = graph_.add("identity", {output});
    }
    return outputs;
  }

  static LayerFunction find_function(const LayerEntryOfModel& entry) {
    if (is_operation(entry.json)) return find_operation(entry.class_name);
    if (entry.class_name == "TFOpLambda" || entry.class_name == "SlicingOpLambda") {
      const Json function = entry.instance->config.value("function", Json());
      return function.is_string() ? find_tensorflow_function(function.get<std::string>()) : nullptr;
    }
    // Classes registered by a package: "Custom>LayerScale".
    const std::string class_name = entry.class_name.substr(entry.class_name.rfind('>') + 1);
    return find_layer(class_name);
  }

  // --- Sequential ---

  using Outputs = std::vector<std::pair<std::string, ValueId>>;

  // The layers of a nested model are made once, so that a second call shares their weights.
  std::vector<LayerEntryOfModel>& entries_of(const Json& config, const Scope& scope,
                                             const LayerEntryOfModel* owner, bool sequential) {
    auto& entries = nested_[owner];
    if (!entries.empty()) return entries;
    std::map<std::string, int> used;
    std::map<std::string, int> ignored;
    const Json& layers = config.is_array() ? config : json_array(config, "layers", source_.file);
    for (const Json& layer : layers) {
      // Sequential does not count its InputLayer among its layers.
      const bool input = layer.is_object() && layer.value("class_name", Json()) == Json("InputLayer");
      entries.push_back(make_entry(layer, entries.size(), scope, sequential && input ? ignored : used));
    }
    return entries;
  }

  static Json find_sequential_shape(const Json& config, const std::vector<LayerEntryOfModel>& entries) {
    if (const Json* shape = find_batch_shape(entries.front().instance->config)) return *shape;
    if (config.is_object()) {
      for (const char* key : {"build_input_shape", "build_config"}) {
        const Json value = config.value(key, Json());
        if (value.is_array()) return value;
        if (value.is_object() && value.value("input_shape", Json()).is_array()) return value["input_shape"];
      }
    }
    return {};
  }

  Outputs build_sequential(const Json& config, const Scope& scope, const std::vector<ValueId>* inputs,
                           const LayerEntryOfModel* owner = nullptr) {
    auto& entries = entries_of(config, scope, owner, true);
    if (entries.empty())
      fail(ErrorCode::unsupported, "'{}' holds a Sequential model without layers", source_.file);
    std::vector<ValueId> values;
    if (inputs != nullptr) {
      values = *inputs;
    } else {
      const Json shape = find_sequential_shape(config, entries);
      if (shape.is_null()) {
        fail(ErrorCode::unsupported,
             "'{}' holds a Sequential model that was never built: it has no input shape", source_.file);
      }
      const LayerEntryOfModel& first = entries.front();
      const bool named = first.class_name == "InputLayer";
      const std::string name = named ? first.name : first.name + "_input";
      values = {add_input(name, shape, first.instance->config.value("dtype", Json()), true)};
    }
    std::string last;
    for (LayerEntryOfModel& entry : entries) {
      if (entry.class_name == "InputLayer") continue;
      values = call_layer(entry, values, Json::object());
      last = entry.name;
    }
    Outputs outputs;
    for (const ValueId value : values)
      outputs.emplace_back(last.empty() ? entries.front().name : last, value);
    return outputs;
  }

  // --- functional ---

  // One call of a layer as the configuration describes it.
  struct Call {
    std::size_t entry = 0;
    std::int64_t node = 0;
    std::vector<TensorRef> inputs;
    Json arguments;
  };

  using CallKey = std::pair<std::string, std::int64_t>;

  static bool is_history(const Json& value) {
    if (!value.is_array() || value.size() < 3 || !value[0].is_string() || !value[1].is_number_integer()) {
      return false;
    }
    return value[2].is_number_integer() || value[0] == Json("_CONSTANT_VALUE");
  }

  static TensorRef to_ref(const Json& history) {
    return {history[0].get<std::string>(), history[1].get<std::int64_t>(), history[2].get<std::int64_t>()};
  }

  // Keras 3: tensors stand anywhere in args and kwargs.
  static void collect_tensors(const Json& value, std::vector<TensorRef>& refs) {
    if (value.is_object() && value.value("class_name", Json()) == Json("__keras_tensor__")) {
      const Json history = value.value("config", Json::object()).value("keras_history", Json());
      if (is_history(history)) refs.push_back(to_ref(history));
      return;
    }
    if (value.is_array()) {
      for (const Json& part : value) collect_tensors(part, refs);
    } else if (value.is_object()) {
      for (const auto& [key, part] : value.items()) {
        if (key != "mask") collect_tensors(part, refs);
      }
    }
  }

  // Keras 2: ["layer", node, tensor, {keyword arguments}], one or a list of them.
  void collect_histories(const Json& value, std::vector<TensorRef>& refs, Json& arguments) const {
    if (is_history(value)) {
      // A number in place of the first tensor: ["_CONSTANT_VALUE", -1, 2.0, {"y": ["layer", 0, 0]}].
      if (value[0] == Json("_CONSTANT_VALUE")) {
        arguments["x"] = value[2];
      } else {
        refs.push_back(to_ref(value));
      }
      if (value.size() > 3 && value[3].is_object()) {
        for (const auto& [key, argument] : value[3].items()) {
          arguments[key] = argument;
          // A second tensor may come as a keyword argument: {"y": ["layer", 0, 0]}.
          if (is_history(argument)) refs.push_back(to_ref(argument));
        }
      }
      return;
    }
    if (value.is_array()) {
      for (const Json& part : value) collect_histories(part, refs, arguments);
    }
  }

  std::vector<Call> calls_of(const std::vector<LayerEntryOfModel>& entries) const {
    std::vector<Call> calls;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].class_name == "InputLayer") continue;
      const Json nodes = entries[i].json.value("inbound_nodes", Json::array());
      if (!nodes.is_array())
        fail(ErrorCode::corrupt, "{}: inbound_nodes is {}", describe(entries[i]), json_excerpt(nodes));
      // Keras 2 writes the only node of an operator without the list around it.
      const bool bare = !nodes.empty() && is_history(nodes);
      std::int64_t number = 0;
      for (const Json& node : bare ? Json::array({nodes}) : nodes) {
        Call call{i, number++, {}, Json::object()};
        if (node.is_object()) {
          call.arguments = node;
          collect_tensors(node.value("args", Json()), call.inputs);
          collect_tensors(node.value("kwargs", Json()), call.inputs);
        } else {
          collect_histories(node, call.inputs, call.arguments);
        }
        if (call.inputs.empty())
          fail(ErrorCode::unsupported, "{}: called on no tensor", describe(entries[i]));
        calls.push_back(std::move(call));
        if (calls.size() > kMaxCalls)
          fail(ErrorCode::corrupt, "'{}' calls layers more than {} times", source_.file, kMaxCalls);
      }
    }
    return calls;
  }

  // A named end of a model: the name of its layer, or the key where the ends are a dictionary.
  struct End {
    std::string name;
    TensorRef ref;
  };

  // "input_layers" and "output_layers": one reference, or lists and dictionaries of them.
  std::vector<End> ends_of(const Json& config, const char* key) const {
    std::vector<End> ends;
    const Json& value = json_member(config, key, source_.file);
    collect_ends(value, "", ends);
    if (ends.empty()) {
      fail(ErrorCode::corrupt, "'{}': {} is {}, expected names of layers", source_.file, key,
           json_excerpt(value));
    }
    return ends;
  }

  static void collect_ends(const Json& value, const std::string& name, std::vector<End>& ends) {
    if (is_history(value)) {
      const TensorRef ref = to_ref(value);
      ends.push_back({name.empty() ? ref.layer : name, ref});
    } else if (value.is_array()) {
      for (const Json& part : value) collect_ends(part, name, ends);
    } else if (value.is_object()) {
      for (const auto& [key, part] : value.items()) collect_ends(part, key, ends);
    }
  }

  // Calls of a nested model are counted from 0 here. Keras 2 counts them from 1, the model's own making being
  // call 0, except for a Sequential model that was built late; Keras 3 does so where a functional model's
  // output is an output of the model around it.
  void count_from_zero(const std::vector<LayerEntryOfModel>& entries, std::vector<Call>& calls,
                       std::vector<End>& outputs) const {
    for (const LayerEntryOfModel& entry : entries) {
      if (!is_model(entry.class_name, entry.instance->config)) continue;
      std::vector<TensorRef*> used;
      if (source_.keras_major < 3) {
        for (Call& call : calls) {
          for (TensorRef& ref : call.inputs) {
            if (ref.layer == entry.name) used.push_back(&ref);
          }
        }
      } else if (is_sequential(entry.class_name)) {
        continue;
      }
      for (End& end : outputs) {
        if (end.ref.layer == entry.name) used.push_back(&end.ref);
      }
      const bool from_one =
          std::none_of(used.begin(), used.end(), [](const TensorRef* ref) { return ref->node == 0; });
      for (TensorRef* ref : used) ref->node -= from_one ? 1 : 0;
    }
  }

  Outputs build_functional(const Json& config, const Scope& scope, const std::vector<ValueId>* inputs,
                           const LayerEntryOfModel* owner = nullptr) {
    auto& entries = entries_of(config, scope, owner, false);
    std::map<std::string, std::size_t> by_name;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (!by_name.emplace(entries[i].name, i).second) {
        fail(ErrorCode::corrupt, "{}: the name stands twice", describe(entries[i]));
      }
    }
    std::map<CallKey, std::vector<ValueId>> made;
    const std::vector<End> input_ends = ends_of(config, "input_layers");
    if (inputs != nullptr && inputs->size() != input_ends.size()) {
      fail(ErrorCode::corrupt, "a nested model in '{}' has {} inputs and is called on {} tensors",
           source_.file, input_ends.size(), inputs->size());
    }
    for (std::size_t i = 0; i < input_ends.size(); ++i) {
      const LayerEntryOfModel& entry = entry_named(entries, by_name, input_ends[i].ref.layer);
      if (inputs != nullptr) {
        made[{entry.name, 0}] = {(*inputs)[i]};
        continue;
      }
      const Json* shape = find_batch_shape(entry.instance->config);
      if (shape == nullptr) fail(ErrorCode::corrupt, "{}: an input without a shape", describe(entry));
      made[{entry.name, 0}] = {add_input(entry.name, *shape, entry.instance->config.value("dtype", Json()),
                                         input_ends.size() == 1)};
    }
    std::vector<Call> calls = calls_of(entries);
    std::vector<End> output_ends = ends_of(config, "output_layers");
    count_from_zero(entries, calls, output_ends);
    run_calls(calls, entries, by_name, made);
    Outputs outputs;
    for (const End& end : output_ends) outputs.emplace_back(end.name, value_of(made, end.ref));
    return outputs;
  }

  LayerEntryOfModel& entry_named(std::vector<LayerEntryOfModel>& entries,
                                 const std::map<std::string, std::size_t>& by_name,
                                 const std::string& name) const {
    const auto found = by_name.find(name);
    if (found == by_name.end()) fail(ErrorCode::corrupt, "'{}': there is no layer '{}'", source_.file, name);
    return entries[found->second];
  }

  ValueId value_of(const std::map<CallKey, std::vector<ValueId>>& made, const TensorRef& ref) const {
    const auto found = made.find({ref.layer, ref.node});
    if (found == made.end() || ref.tensor < 0 || ref.tensor >= std::ssize(found->second)) {
      fail(ErrorCode::corrupt, "'{}': output {} of call {} of layer '{}' is used, but never made",
           source_.file, ref.tensor, ref.node, ref.layer);
    }
    return found->second[static_cast<std::size_t>(ref.tensor)];
  }

  // Makes calls once their inputs are made. The call made possible last comes next, so that a branch is
  // followed to its end before the one beside it begins and few tensors wait at once; else in the order of
  // the configuration.
  void run_calls(const std::vector<Call>& calls, std::vector<LayerEntryOfModel>& entries,
                 const std::map<std::string, std::size_t>& by_name,
                 std::map<CallKey, std::vector<ValueId>>& made) {
    std::map<CallKey, std::vector<std::size_t>> waiting;
    std::vector<std::size_t> missing(calls.size(), 0);
    std::vector<std::size_t> ready;  // the next one last
    for (std::size_t i = 0; i < calls.size(); ++i) {
      std::set<CallKey> needed;
      for (const TensorRef& ref : calls[i].inputs) {
        entry_named(entries, by_name, ref.layer);
        if (!made.contains({ref.layer, ref.node})) needed.insert({ref.layer, ref.node});
      }
      missing[i] = needed.size();
      for (const CallKey& key : needed) waiting[key].push_back(i);
      if (needed.empty()) ready.push_back(i);
    }
    std::reverse(ready.begin(), ready.end());
    std::size_t done = 0;
    for (; !ready.empty(); ++done) {
      const Call& call = calls[ready.back()];
      ready.pop_back();
      LayerEntryOfModel& entry = entries[call.entry];
      std::vector<ValueId> inputs;
      for (const TensorRef& ref : call.inputs) inputs.push_back(value_of(made, ref));
      made[{entry.name, call.node}] = call_layer(entry, std::move(inputs), call.arguments);
      const std::vector<std::size_t>& following = waiting[{entry.name, call.node}];
      for (auto next = following.rbegin(); next != following.rend(); ++next) {
        if (--missing[*next] == 0) ready.push_back(*next);
      }
    }
    if (done == calls.size()) return;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      if (missing[i] > 0) {
        fail(ErrorCode::corrupt, "{}: its inputs are never made; the layers go in a circle or one is missing",
             describe(entries[calls[i].entry]));
      }
    }
  }

  const ModelSource& source_;
  const ReadOptions& options_;
  Graph graph_;
  std::size_t calls_ = 0;
  std::map<std::string, int> calls_of_;  // by layer: how often it was called
  std::map<const LayerEntryOfModel*, std::vector<LayerEntryOfModel>>
      nested_;  // layers of each model, by its owner
};

}  // namespace

Graph build_model(const ModelSource& source, const ReadOptions& options) {
  return ModelBuilder(source, options).build();
}

}  // namespace lamina
