"""A small classifier saved by the real Keras, inputs for it and Keras's answers."""
import keras
import numpy


def save(model_file, rows, inputs_file, answers_file, branch):
    """With `branch` the second convolution stands beside the first one's output, otherwise behind it."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    picture = keras.Input((16, 16, 1), name="picture")
    x = layers.Conv2D(8, 3, activation="relu", name="first")(picture)
    if branch:
        y = layers.Conv2D(8, 3, padding="same", name="branch")(x)
        x = layers.Add(name="join")([x, y])
    else:
        x = layers.Conv2D(8, 3, activation="relu", name="second")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Dense(4, activation="softmax", name="scores")(layers.Flatten(name="flat")(x))
    model = keras.Model(picture, x, name="small")
    model.save(model_file)
    data = numpy.random.default_rng(1).standard_normal((rows, 16, 16, 1)).astype("float32")
    numpy.save(inputs_file, data)
    numpy.save(answers_file, model.predict(data, verbose=0))
