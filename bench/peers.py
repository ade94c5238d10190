"""One system with one model, kept alive: reads numbers of runs, answers with the seconds of each run as JSON.

Usage: peers.py SYSTEM MODEL_FOLDER BATCH. Each system runs as its own documentation says it is fastest for one
request at a time, with all cores.
"""
import json
import pathlib
import sys
import time

import numpy


def tensorflow_function(folder, data):
    import keras
    import tensorflow

    model = keras.models.load_model(folder / "model.keras", compile=False)
    function = tensorflow.function(lambda x: model(x, training=False), jit_compile=False)
    data = tensorflow.constant(data)
    return lambda: function(data).numpy()


def keras_predict(folder, data):
    import keras

    model = keras.models.load_model(folder / "model.keras", compile=False)
    return lambda: model.predict(data, batch_size=len(data), verbose=0)


def onnxruntime(folder, data):
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "onnx" / "__MODEL_PROTO.onnx", providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: data})


def openvino(folder, data):
    import openvino

    model = openvino.Core().read_model(folder / "openvino.xml")
    model.reshape(list(data.shape))
    compiled = openvino.Core().compile_model(
        model, "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    return lambda: request.infer({0: data}, share_inputs=True, share_outputs=True)


SYSTEMS = {f.__name__: f for f in (tensorflow_function, keras_predict, onnxruntime, openvino)}


def main() -> None:
    system, folder, batch = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    run = SYSTEMS[system](folder, numpy.load(folder / f"input{batch}.npy"))
    run()
    print("ready", flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            begin = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - begin)
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
