"""A small classifier saved by the real Keras, an input for it and Keras's answer."""
import keras
import numpy

keras.utils.set_random_seed(3)
layers = keras.layers
picture = keras.Input((16, 16, 1), name="picture")
x = layers.Conv2D(8, 3, activation="relu", name="first")(picture)
y = layers.Conv2D(8, 3, padding="same", name="branch")(x)
x = layers.Add(name="join")([x, y])
x = layers.MaxPooling2D(name="pool")(x)
x = layers.Dense(4, activation="softmax", name="scores")(layers.Flatten(name="flat")(x))
model = keras.Model(picture, x, name="small")
model.save("small.keras")
data = numpy.random.default_rng(1).standard_normal((2, 16, 16, 1)).astype("float32")
numpy.save("in.npy", data)
numpy.save("keras.npy", model.predict(data, verbose=0))
open("classes.txt", "w").write("cat\ndog\ncow\nowl\n")
