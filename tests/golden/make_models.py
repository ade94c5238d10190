#!/usr/bin/env python3
"""Makes models with the real Keras, with random weights and batch statistics, and Keras's own answers.

    make_models.py OUT CASE...          makes OUT/CASE/ for each case, printing its name once it is there
    make_models.py --list SUITE         prints the cases of a suite: zoo, applications, applications-full, keras2

A case is a function of zoo.py ("nested") or an architecture of keras.applications ("MobileNetV2"), the latter at
a small size or with ":full" at its own. With "@2" it is made by Keras 2 (tf-keras) and saved as .h5 of Keras 2;
else by Keras 3 and saved as .keras and as .h5. "*" stands for the zoo in both versions.

OUT/CASE/case.json says: "models" (files), "inputs" (names, in order), "input_shapes" (sizes for inputs that the
model leaves open, after the batch axis), "parameters", "output_shapes", "weights" (name of a layer → names of
.npy files with its weights as get_weights() gives them, of some layers), "runs" (for each batch size the files of
inputs and outputs).
"""
import argparse
import json
import os
import pathlib
import sys
import traceback
import zlib

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402

import zoo  # noqa: E402

BATCHES = (1, 5)
# The architectures' own least sizes are 32, 71 or 75; these leave a few cells at the end of each.
SMALL = {"InceptionV3": 107, "InceptionResNetV2": 107, "Xception": 95, "NASNetLarge": 96, "NASNetMobile": 96}
SMALL_ELSE = 64
MOBILENET_V3 = ("MobileNetV3Large", "MobileNetV3Small")
APPLICATIONS = [
    "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge", "DenseNet121", "DenseNet169",
    "DenseNet201", "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetB4",
    "EfficientNetB5", "EfficientNetB6", "EfficientNetB7", "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2",
    "EfficientNetV2B3", "EfficientNetV2L", "EfficientNetV2M", "EfficientNetV2S", "InceptionResNetV2", "InceptionV3",
    "MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small", "NASNetLarge", "NASNetMobile", "ResNet101",
    "ResNet101V2", "ResNet152", "ResNet152V2", "ResNet50", "ResNet50V2", "VGG16", "VGG19", "Xception",
]  # fmt: skip


def suite(name):
    both = [case for case in zoo.ZOO] + [f"{case}@2" for case in zoo.ZOO]
    return {
        "zoo": both + list(zoo.KERAS3_ONLY),
        "applications": APPLICATIONS,
        "applications-full": [f"{case}:full" for case in APPLICATIONS],
        "keras2": [f"{case}@2" for case in APPLICATIONS],
    }[name]


def load_keras(version):
    if version == 3:
        import keras
    else:
        import tf_keras as keras
    return keras


def build(keras, name, full):
    if name in zoo.ZOO or name in zoo.KERAS3_ONLY:
        return {**zoo.ZOO, **zoo.KERAS3_ONLY}[name](keras)
    options = {"weights": None}
    if not full:
        size = SMALL.get(name, SMALL_ELSE)
        options["input_shape"] = (size, size, 3)
    elif name in MOBILENET_V3:
        options["input_shape"] = (224, 224, 3)
    return getattr(keras.applications, name)(**options)


def own_layers(model):
    """Layers at any depth that hold variables themselves."""
    return [layer for layer in model._flatten_layers(include_self=False) if not hasattr(layer, "layers")]


def last_name(variable):
    return variable.name.split("/")[-1].split(":")[0]


def random_value(random, layer, name, shape):
    kind = type(layer).__name__
    if name in ("gamma", "scale"):
        # LayerScale begins at 1e-6, which would hide its branch.
        return random.uniform(0.2, 0.5, shape) if kind == "LayerScale" else random.normal(1, 0.1, shape)
    if name in ("beta", "bias", "moving_mean"):
        return random.normal(0, 0.1, shape)
    if name == "moving_variance":
        return random.uniform(0.5, 1.5, shape)
    if name == "mean":
        return random.normal(0.4, 0.1, shape)
    if name == "variance":
        return random.uniform(0.2, 1.0, shape)
    if name == "alpha":
        return random.uniform(0.1, 0.4, shape)
    if "kernel" in name:
        depthwise = name == "depthwise_kernel" or kind.startswith("DepthwiseConv")
        inputs = np.prod(shape[:-2]) if depthwise else np.prod(shape[:-1])
        return random.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(2 / inputs))
    raise ValueError(f"no rule for weight '{name}' of {kind}")


def randomise(keras, model, random):
    for layer in own_layers(model):
        values = []
        for variable in layer.weights:
            name = last_name(variable)
            if name == "count" or "seed" in name:
                values.append(np.array(variable))
            else:
                values.append(random_value(random, layer, name, tuple(variable.shape)).astype(np.float32))
        if values:
            layer.set_weights(values)
        if type(layer).__name__ == "Normalization" and hasattr(layer, "finalize_state"):
            layer.finalize_state()


def calibrate(model, inputs, random):
    """Gives batch normalisations statistics near those of their inputs, so that no depth is too deep."""
    norms = [layer for layer in own_layers(model) if type(layer).__name__ == "BatchNormalization"]
    if not norms:
        return
    kept = [(layer.momentum, layer.trainable) for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
        if not layer.trainable:
            layer.trainable = True
    model(inputs, training=True)
    for layer, (momentum, trainable) in zip(norms, kept):
        layer.momentum = momentum
        layer.trainable = trainable
        mean, variance = np.array(layer.moving_mean), np.array(layer.moving_variance)
        deviation = np.sqrt(variance)
        layer.moving_mean.assign(mean + 0.1 * deviation * random.standard_normal(mean.shape))
        layer.moving_variance.assign(np.maximum(variance, 1e-3) * random.uniform(0.8, 1.25, variance.shape))


def flatten(value):
    if isinstance(value, dict):
        return [value[key] for key in sorted(value)]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def input_structure(model):
    """What the model is called on: a tensor, a list or a dictionary of them."""
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, dict):
        return structure
    return model.inputs[0] if len(model.inputs) == 1 else list(model.inputs)


def random_input(random, tensor, batch, open_sizes, pixels):
    shape = [batch] + [int(size) if size is not None else None for size in tensor.shape[1:]]
    sizes = iter(open_sizes or ())
    shape = [size if size is not None else next(sizes) for size in shape]
    dtype = str(getattr(tensor.dtype, "name", tensor.dtype))
    if dtype != "float32":
        return random.integers(0, 200, shape).astype(dtype)
    if pixels:
        return random.uniform(0, 255, shape).astype(np.float32)
    return random.standard_normal(shape, dtype=np.float32)


def save(keras, model, directory, version):
    if version == 2:
        model.save(str(directory / "keras2.h5"))
        return ["keras2.h5"]
    model.save(str(directory / "model.keras"))
    try:
        model.save(str(directory / "keras3.h5"))
        keras.models.load_model(str(directory / "keras3.h5"), compile=False)
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError, RuntimeError):
        # Keras itself can't save or load some models (operators, say) in its old format.
        (directory / "keras3.h5").unlink(missing_ok=True)
        return ["model.keras"]
    return ["model.keras", "keras3.h5"]


def save_some_weights(model, directory):
    """get_weights() of at most 12 layers that have any, spread over the model."""
    layers = [layer for layer in model.layers if not hasattr(layer, "layers") and layer.get_weights()]
    chosen = layers[:: max(1, len(layers) // 12)]
    (directory / "weights").mkdir()
    names = {}
    for number, layer in enumerate(chosen):
        files = []
        for index, value in enumerate(layer.get_weights()):
            files.append(f"weights/{number}_{index}.npy")
            np.save(directory / files[-1], value)
        names[layer.name] = files
    return names


def make_case(case, out):
    name, _, version = case.partition("@")
    version = int(version or 3)
    name, _, full = name.partition(":")
    random = np.random.default_rng(zlib.crc32(case.encode()))
    keras = load_keras(version)
    keras.backend.clear_session()
    keras.utils.set_random_seed(zlib.crc32(case.encode()) % 2**31)
    model = build(keras, name, bool(full))
    randomise(keras, model, random)

    kinds = {type(layer).__name__ for layer in own_layers(model)}
    pixels = name in APPLICATIONS and bool(kinds & {"Rescaling", "Normalization"})
    open_sizes = zoo.OPEN_SIZES.get(name)
    structure = input_structure(model)
    ends = flatten(structure)

    def arrange(arrays):
        if isinstance(structure, dict):
            return dict(zip(sorted(structure), arrays))
        return arrays if isinstance(structure, (list, tuple)) else arrays[0]

    def fresh(batch):
        return [random_input(random, tensor, batch, open_sizes, pixels) for tensor in ends]

    calibrate(model, arrange(fresh(2 if full else 8)), random)

    directory = pathlib.Path(out) / case
    directory.mkdir(parents=True)
    names = list(model.input_names) if version == 2 else [tensor.name for tensor in ends]
    facts = {
        "name": case,
        "models": save(keras, model, directory, version),
        "inputs": names,
        "input_shapes": {},
        "parameters": int(model.count_params()),
        "weights": save_some_weights(model, directory),
        "runs": [],
    }
    for batch in BATCHES:
        arrays = fresh(batch)
        if open_sizes:
            facts["input_shapes"] = {n: list(array.shape[1:]) for n, array in zip(names, arrays)}
        results = [np.array(value) for value in flatten(model(arrange(arrays), training=False))]
        if not all(np.isfinite(result).all() and np.abs(result).max() > 1e-6 for result in results):
            raise ValueError(f"{case}: the answers vanish or explode")
        run = {"batch": batch, "inputs": [], "outputs": []}
        for key, values in (("inputs", arrays), ("outputs", results)):
            for index, value in enumerate(values):
                run[key].append(f"{key}_{batch}_{index}.npy")
                np.save(directory / run[key][-1], value)
        facts["runs"].append(run)
        facts["output_shapes"] = [list(result.shape[1:]) for result in results]
    (directory / "case.json").write_text(json.dumps(facts, indent=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", metavar="SUITE")
    parser.add_argument("out", nargs="?")
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(suite(arguments.list)))
        return
    cases = []
    for case in arguments.cases:
        cases += suite("zoo") if case == "*" else [case]
    failed = []
    for case in cases:
        try:
            make_case(case, arguments.out)
            print(case, flush=True)
        except Exception:
            failed.append(case)
            print(f"{case}: {traceback.format_exc()}", file=sys.stderr, flush=True)
    if failed:
        sys.exit(f"could not make {', '.join(failed)}")


if __name__ == "__main__":
    main()
