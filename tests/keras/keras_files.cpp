#include "keras/keras_files.h"

#include "support/python.h"

namespace lamina {

namespace {

// Every model comes as .keras and .h5 of Keras 3 and as "-2.h5" of Keras 2. Weights of the layers are saved
// as MODEL/LAYER/INDEX.npy, as get_weights() gives them.
constexpr const char* kScript = R"(
import json, os, pathlib, sys
import numpy
import keras, tf_keras

out = pathlib.Path(sys.argv[1])
facts = {}


def small(k):
    x = k.Input((12, 12, 3), name="picture")
    y = k.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(x)
    y = k.layers.BatchNormalization(name="norm")(y)
    y = k.layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(y)
    y = k.layers.Dropout(0.25, noise_shape=(None, 1, 1, 8), name="drop")(y)
    y = k.layers.GlobalAveragePooling2D(name="pool")(y)
    return k.Model(x, k.layers.Dense(5, activation="softmax", name="answer")(y), name="small")


def nested(k):
    # Names of layers repeat inside, one layer is frozen: only order tells the weights of an .h5 apart.
    inside = k.Input((6,))
    y = k.layers.Dense(6, name="dense")(inside)
    y = k.layers.BatchNormalization(name="norm")(y)
    deep = k.Sequential([k.Input((6,)), k.layers.Dense(6, name="deep")], name="deeper")
    encoder = k.Model(inside, k.layers.Dense(6, name="last")(deep(y)), name="encoder")
    encoder.get_layer("last").trainable = False
    shared = k.layers.Dense(6, name="shared")
    a, b = k.Input((6,), name="a"), k.Input((6,), name="b")
    left, right = encoder(shared(a)), encoder(shared(b))
    return k.Model([a, b], [k.layers.Add(name="sum")([left, right]), k.layers.Dense(2, name="dense")(left)], name="nested")


def plain(k):
    model = k.Sequential([k.layers.Dense(4, name="one"), k.layers.Dense(3, name="two")], name="plain")
    model.build((None, 7))
    return model


def layers_of(model, prefix=""):
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from layers_of(layer, prefix + layer.name + "/")
        else:
            yield prefix + layer.name, layer


def save(name, model, files):
    random = numpy.random.default_rng(1)
    for _, layer in layers_of(model):
        layer.set_weights([random.standard_normal(w.shape).astype("float32") for w in layer.get_weights()])
    for file in files:
        model.save(out / file)
    counts = {}
    for path, layer in layers_of(model):
        weights = layer.get_weights()
        counts[path] = len(weights)
        for index, value in enumerate(weights):
            folder = out / name / path
            folder.mkdir(parents=True, exist_ok=True)
            numpy.save(folder / f"{index}.npy", value)
    facts[name] = {
        "parameters": int(model.count_params()),
        "outputs": [[int(size) for size in output.shape[1:]] for output in model.outputs],
        "weights": counts,
    }


for build in (small, nested, plain):
    model = build(keras)
    model.compile(optimizer="adam", loss="mse")
    save(build.__name__, model, [f"{build.__name__}.keras", f"{build.__name__}.h5"])
    save(f"{build.__name__}-2", build(tf_keras), [f"{build.__name__}-2.h5"])

for policy in ("float16", "bfloat16", "mixed_float16"):
    keras.config.set_dtype_policy(policy)
    model = plain(keras)
    model.save(out / f"{policy}.keras")
    kernel = model.layers[0].get_weights()[0].astype("float32")
    numpy.save(out / f"{policy}.npy", kernel)
keras.config.set_dtype_policy("float32")

x = keras.Input((None, None, 3), name="picture")
keras.Model(x, keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(2, 3)(x))).save(out / "open.keras")
x = keras.Input((4,))
keras.Model(x, keras.layers.LSTM(3, name="memory")(keras.layers.Reshape((2, 2))(x))).save(out / "lstm.keras")
small(keras).save_weights(out / "alone.weights.h5")
(out / "facts.json").write_text(json.dumps(facts))
)";

std::filesystem::path make_files() {
  // Lives until the program ends.
  static const TemporaryDirectory directory;
  run_python(kScript, {directory.path().string()});
  return directory.path();
}

}  // namespace

const std::filesystem::path& keras_files() {
  static const std::filesystem::path path = make_files();
  return path;
}

const Json& keras_facts() {
  static const Json facts =
      parse_json(read_file(keras_files() / "facts.json", 1U << 20U), (keras_files() / "facts.json").string());
  return facts;
}

}  // namespace lamina
