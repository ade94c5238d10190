"""One of Keras's applications with random weights, four inputs for it and Keras's answers: make_application.py NAME."""
import pathlib
import sys

import keras
import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from randomize import randomize  # noqa: E402

keras.utils.set_random_seed(3)
model = getattr(keras.applications, sys.argv[1])(weights=None)
data = numpy.random.default_rng(1).standard_normal((4, *model.input_shape[1:])).astype("float32")
randomize(model, data)
model.save("model.keras")
numpy.save("inputs.npy", data)
numpy.save("answers.npy", model.predict(data, verbose=0))
