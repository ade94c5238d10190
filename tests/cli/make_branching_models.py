"""Models with branches saved by the real Keras, an input for each input and Keras's answers: towers on two inputs that meet and
part again into two answers; InceptionV3; NASNetMobile, whose cells fork from two tensors."""
import keras
import numpy

keras.utils.set_random_seed(5)
layers = keras.layers
random = numpy.random.default_rng(2)


def tower(x, name: str, depth: int):
    for i in range(depth):
        x = layers.Conv2D(8, 3, padding="same", activation="relu", name=f"{name}{i}")(x)
    return x


def towers() -> keras.Model:
    left = keras.Input((16, 16, 3), name="left")
    right = keras.Input((16, 16, 1), name="right")
    met = layers.Concatenate(name="meet")([tower(left, "left_conv", 3), tower(right, "right_conv", 2)])
    mixed = layers.Conv2D(8, 1, activation="relu", name="mix")(met)
    flat = layers.Flatten(name="flat")
    kinds = layers.Dense(4, activation="softmax", name="kinds")(flat(tower(mixed, "kind_conv", 2)))
    size = layers.Dense(1, name="size")(layers.Flatten(name="flat_too")(tower(mixed, "size_conv", 1)))
    return keras.Model([left, right], [kinds, size], name="towers")


models = {
    "towers": towers(),
    "inception": keras.applications.InceptionV3(weights=None, input_shape=(75, 75, 3), classes=5, classifier_activation=None),
    "nasnet": keras.applications.NASNetMobile(weights=None, input_shape=(32, 32, 3), classes=5),
}
for name, model in models.items():
    # Batch statistics and offsets that are not those of a new model, mild ones.
    for weight in model.weights:
        if weight.name in ("moving_mean", "beta", "bias"):
            weight.assign(0.1 * random.standard_normal(weight.shape))
        elif weight.name == "moving_variance":
            weight.assign(random.uniform(0.8, 1.2, weight.shape))
    model.save(f"{name}.keras")
    inputs = [random.standard_normal((2, *one.shape[1:])).astype("float32") for one in model.inputs]
    answers = model.predict(inputs, verbose=0)
    for i, data in enumerate(inputs):
        numpy.save(f"{name}.in{i}.npy", data)
    for i, data in enumerate(answers if isinstance(answers, list) else [answers]):
        numpy.save(f"{name}.keras{i}.npy", data)
