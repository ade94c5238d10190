"""A small classifier saved by the real Keras, sixteen inputs for it and Keras's answers."""
import keras
import numpy

keras.utils.set_random_seed(3)
layers = keras.layers
picture = keras.Input((16, 16, 1), name="picture")
x = layers.Conv2D(8, 3, activation="relu", name="first")(picture)
x = layers.Conv2D(8, 3, activation="relu", name="second")(x)
x = layers.MaxPooling2D(name="pool")(x)
x = layers.Dense(4, activation="softmax", name="scores")(layers.Flatten(name="flat")(x))
model = keras.Model(picture, x, name="small")
model.save("model.keras")
data = numpy.random.default_rng(1).standard_normal((16, 16, 16, 1)).astype("float32")
numpy.save("inputs.npy", data)
numpy.save("answers.npy", model.predict(data, verbose=0))
