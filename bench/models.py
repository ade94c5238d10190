"""Models for the benchmarks, in the form each system takes, made once in .deps/bench-models."""
import os
import pathlib
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".deps" / "bench-models"
LAMINA = ROOT / "build" / "release" / "lamina"

# name: edge length of the picture it takes
MODELS = {"VGG16": 224, "ResNet50": 224, "MobileNetV2": 224, "InceptionV3": 299, "EfficientNetB0": 224}


def build(name: str) -> None:
    """Saves .keras, a SavedModel, ONNX and OpenVINO's own conversion. Runs in a process of its own."""
    import keras
    import numpy
    import openvino

    keras.utils.set_random_seed(7)
    model = getattr(keras.applications, name)(weights=None)
    random = numpy.random.default_rng(7)
    # Statistics as after training: neither 0 nor 1, so that no system may drop them.
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, w.shape).astype("float32") for w in layer.get_weights()])
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")
    model.export(folder / "saved_model", verbose=False)
    openvino.save_model(openvino.convert_model(folder / "saved_model"), folder / "openvino.xml", compress_to_fp16=False)
    export_onnx(folder)
    for batch in (1, 32):
        edge = MODELS[name]
        numpy.save(folder / f"input{batch}.npy", random.uniform(0, 1, (batch, edge, edge, 3)).astype("float32"))
    (folder / "ready").touch()


def export_onnx(folder: pathlib.Path) -> None:
    """tf2onnx's form for large models keeps weights outside the protobuf; the small form needs over 24 GB for VGG16."""
    script = ("import sys, numpy; numpy.product = numpy.prod\n"  # a name that NumPy 2 dropped and tf2onnx still calls
              "import tf2onnx.convert; tf2onnx.convert.main()")
    archive = folder / "onnx.zip"
    subprocess.run([sys.executable, "-c", script, "--saved-model", folder / "saved_model", "--output", archive,
                    "--opset", "17", "--large_model"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with zipfile.ZipFile(archive) as files:
        files.extractall(folder / "onnx")
    archive.unlink()


def folder_of(name: str) -> pathlib.Path:
    folder = FOLDER / name
    if not (folder / "ready").exists():
        print(f"making {name}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, __file__, name], check=True,
                       env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"})
    return folder


if __name__ == "__main__":
    build(sys.argv[1])
