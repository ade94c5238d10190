#!/usr/bin/env python3
"""Makes models with the real Keras, saves them, and has golden_check compare every answer.

Usage: golden_test.py CHECKER zoo | zoo2 | emotion MODEL | applications[2] fast|full [--shard I/N] [--only NAME]
zoo2 and applications2 are built and saved by Keras 2 (tf_keras). One case is made, checked and removed at a time.
"""
import argparse
import inspect
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy

from randomize import call, randomize
from zoo import KERAS3_ONLY, OPEN_SIZES, ZOO

# The smallest pictures that the architectures of Keras take, a little beyond where some of them would pool to nothing.
SMALL = {"InceptionV3": 96, "InceptionResNetV2": 96, "Xception": 80, "NASNetLarge": 64, "NASNetMobile": 64,
         "DenseNet121": 64, "DenseNet169": 64, "DenseNet201": 64}
SMALL_OTHERWISE = 64
# In the fast suite the largest architectures are left to the full one, which is run as they come.
LARGE = {"ConvNeXtXLarge", "ConvNeXtLarge", "EfficientNetB7", "EfficientNetV2L"}
# The deepest is compared with Keras in float64: in float32 Keras itself is off by about the difference allowed.
DEEPEST = {"EfficientNetV2L"}


class Runner:
    def __init__(self, checker: str):
        self.checker = checker
        self.passed = 0
        self.failed = []

    def run(self, name: str, save, cuts) -> None:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="lamina-golden-"))
        try:
            case = save(folder / name)
            case["cuts"] = cuts
            (folder / name / "case.json").write_text(json.dumps(case))
            result = subprocess.run([self.checker, str(folder / name)], capture_output=True, text=True, timeout=1200)
            if result.returncode == 0:
                self.passed += 1
                print(f"ok   {name}", flush=True)
            else:
                self.failed.append(name)
                print(f"FAIL {name} (status {result.returncode})\n{result.stdout[-3000:]}{result.stderr[-3000:]}", flush=True)
        finally:
            shutil.rmtree(folder)

    def finish(self) -> int:
        print(f"{self.passed} passed, {len(self.failed)} failed")
        return 1 if self.failed or self.passed == 0 else 0


def picture_like(random, shape: list[int]):
    """Noise around 0. Pictures get patches of colour too: pictures of noise alone all look the same to a deep model."""
    values = random.standard_normal(shape)
    if len(shape) != 4:
        return values
    batch, height, width, channels = shape
    coarse = random.standard_normal((batch, 5, 5, channels))
    patches = coarse[:, numpy.arange(height) * 5 // height][:, :, numpy.arange(width) * 5 // width]
    return 0.3 * values + patches * random.uniform(0.3, 1.5, (batch, 1, 1, 1))


def inputs_of(model, batch: int, seed: int, open_sizes=()) -> list:
    random = numpy.random.default_rng(seed)
    arrays = []
    for tensor in model.inputs:
        sizes = iter(open_sizes)
        shape = [batch, *(int(size if size is not None else next(sizes)) for size in tensor.shape[1:])]
        dtype = getattr(tensor.dtype, "name", tensor.dtype)
        if dtype != "float32":
            arrays.append(random.integers(0, 200, shape).astype(dtype))
            continue
        # Pictures from 0 to 255 where they have 3 channels and layers that scale them, else around 0.
        scaled = any(type(layer).__name__ in ("Rescaling", "Normalization") for layer in model.layers)
        values = picture_like(random, shape)
        arrays.append((127.5 + 60 * values if scaled else values).astype("float32"))
    return arrays


def arrange(model, arrays: list):
    """What the model is called on: a tensor, a list or a dictionary of them."""
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, dict):
        return dict(zip(sorted(structure), arrays))
    return arrays if len(arrays) > 1 else arrays[0]


def flatten(outputs) -> list:
    if isinstance(outputs, dict):
        return [outputs[name] for name in sorted(outputs)]
    return outputs if isinstance(outputs, (list, tuple)) else [outputs]


def names_of(model) -> list[str]:
    return [getattr(tensor, "_keras_history")[0].name for tensor in model.inputs]


def save_answers(model, folder: pathlib.Path, batches=(1, 5), open_sizes=(), truth=None) -> dict:
    """`truth` answers for the model where it is given."""
    for batch in batches:
        arrays = inputs_of(model, batch, batch, open_sizes)
        outputs = flatten(call(truth or model, arrange(model, arrays), training=False))
        for i, array in enumerate(arrays):
            numpy.save(folder / f"input_{batch}_{i}.npy", array)
        for i, output in enumerate(outputs):
            array = numpy.asarray(output, "float32" if truth else None)
            assert numpy.isfinite(array).all() and numpy.abs(array).max() > 1e-6, "a golden that shows nothing"
            numpy.save(folder / f"output_{batch}_{i}.npy", array)
    shapes = {name: [-1, *array.shape[1:]] for name, array in zip(names_of(model), arrays)} if open_sizes else {}
    return {"batches": list(batches), "inputs": names_of(model), "input_shape": shapes}


def in_float64(keras, build, model):
    """The same model, computed in float64."""
    keras.config.set_dtype_policy("float64")
    try:
        double = build()
    finally:
        keras.config.set_dtype_policy("float32")
    double.set_weights(model.get_weights())
    return double


def save_model(model, folder: pathlib.Path, files: list[str], open_sizes=(), truth_of=None) -> dict:
    folder.mkdir(parents=True)
    # Batch statistics are taken over the pictures that are asked about, too: they hold for no others.
    samples = [inputs_of(model, batch, seed, open_sizes) for batch, seed in ((1, 1), (5, 5), (8, 99))]
    randomize(model, arrange(model, [numpy.concatenate(arrays) for arrays in zip(*samples)]))
    for file in files:
        model.save(folder / file)
    truth = truth_of(model) if truth_of else None
    return {"files": files, **save_answers(model, folder, open_sizes=open_sizes, truth=truth)}


def run_zoo(runner: Runner, keras, files: list[str], only: str | None) -> None:
    for build in ZOO:
        if (only and build.__name__ != only) or (keras.__version__[0] == "2" and build in KERAS3_ONLY):
            continue
        keras.backend.clear_session()
        sizes = OPEN_SIZES.get(build.__name__, ())
        runner.run(
            f"{build.__name__}-keras{keras.__version__[0]}", lambda folder: save_model(build(keras), folder, files, sizes), "all"
        )


def run_emotion(runner: Runner, path: str) -> None:
    import tf_keras

    def save(folder: pathlib.Path) -> dict:
        folder.mkdir(parents=True)
        shutil.copy(path, folder / "model.hdf5")
        model = tf_keras.models.load_model(path, compile=False)
        return {"files": ["model.hdf5"], **save_answers(model, folder)}

    runner.run("emotion", save, "all")


def run_applications(runner: Runner, version: int, size: str, shard: str, only: str | None) -> None:
    import keras

    # Keras 2 has more architectures; those of Keras 3 are compared.
    names = sorted(name for name, member in inspect.getmembers(keras.applications, inspect.isfunction))
    file = "model.keras"
    if version == 2:
        import tf_keras as keras

        file = "model.h5"
    if size == "fast":
        names = [name for name in names if name not in LARGE]
    index, count = (int(part) for part in shard.split("/"))
    for name in names[index::count]:
        if only and name != only:
            continue
        keras.backend.clear_session()
        arguments = {"weights": None}
        if size == "fast":
            edge = SMALL.get(name, SMALL_OTHERWISE)
            arguments["input_shape"] = (edge, edge, 3)
        elif name.startswith("MobileNetV3"):
            arguments["input_shape"] = (224, 224, 3)

        def build():
            return getattr(keras.applications, name)(**arguments)

        truth_of = (lambda model: in_float64(keras, build, model)) if name in DEEPEST else None
        runner.run(name, lambda folder: save_model(build(), folder, [file], truth_of=truth_of), 10)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checker")
    parser.add_argument("what", choices=["zoo", "zoo2", "emotion", "applications", "applications2"])
    parser.add_argument("argument", nargs="?")
    parser.add_argument("--shard", default="0/1")
    parser.add_argument("--only")
    options = parser.parse_args()
    runner = Runner(options.checker)
    if options.what == "zoo":
        import keras

        run_zoo(runner, keras, ["model.keras", "model.h5"], options.only)
    elif options.what == "zoo2":
        import tf_keras

        run_zoo(runner, tf_keras, ["model.h5"], options.only)
    elif options.what == "emotion":
        run_emotion(runner, options.argument)
    else:
        version = 2 if options.what == "applications2" else 3
        run_applications(runner, version, options.argument, options.shard, options.only)
    return runner.finish()


if __name__ == "__main__":
    sys.exit(main())
