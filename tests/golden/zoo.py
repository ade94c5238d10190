"""Small models that between them use every layer and option that Lamina reads.

Each function takes the keras module (Keras 3 or tf-keras, which is Keras 2) and returns a model.
"""


def sequential_plain(keras):
    """Sequential without an input layer, built by its first shape."""
    layers = keras.layers
    model = keras.Sequential([layers.Dense(8, activation="relu"), layers.Dense(5, activation="softmax")])
    model.build((None, 6))
    return model


def sequential_input(keras):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((12, 10, 3), name="picture"),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(7, use_bias=False),
            layers.Activation("softmax"),
        ]
    )


ACTIVATIONS = [
    "elu", "exponential", "gelu", "hard_sigmoid", "linear", "mish", "relu", "selu", "sigmoid", "softmax",
    "softplus", "softsign", "swish", "tanh",
]  # fmt: skip
KERAS3_ACTIVATIONS = [
    "celu", "glu", "hard_shrink", "hard_silu", "hard_tanh", "leaky_relu", "log_sigmoid", "log_softmax", "relu6",
    "silu", "soft_shrink", "sparse_plus", "squareplus", "tanh_shrink", "threshold",
]  # fmt: skip


def activations(keras):
    layers = keras.layers
    x = keras.Input((6, 4))
    # keras.activations.threshold has no default for its arguments.
    newer = [name for name in KERAS3_ACTIVATIONS if name not in ("threshold", "glu")]
    names = ACTIVATIONS + (newer if is_keras3(keras) else [])
    return keras.Model(x, [layers.Activation(name, name=f"named_{name}")(x) for name in names])


def activation_layers(keras):
    layers = keras.layers
    x = keras.Input((6, 5, 4))
    outputs = [
        layers.ReLU()(x),
        layers.ReLU(max_value=6)(x),
        layers.ReLU(max_value=0.8)(x),
        layers.ReLU(negative_slope=0.1)(x),
        layers.ReLU(negative_slope=0.1, max_value=0.5, threshold=0.25)(x),
        layers.ReLU(threshold=0.5)(x),
        layers.LeakyReLU()(x),
        layers.LeakyReLU(0.05)(x),
        layers.ELU(alpha=0.7)(x),
        layers.PReLU()(x),
        layers.PReLU(shared_axes=[1, 2])(x),
        layers.Softmax()(x),
        layers.Softmax(axis=1)(x),
        layers.Softmax(axis=[1, 2])(x),
    ]
    if not is_keras3(keras):
        outputs.append(layers.ThresholdedReLU(theta=0.4)(x))
    return keras.Model(x, outputs)


def convolutions(keras):
    layers = keras.layers
    x = keras.Input((13, 11, 4))
    outputs = []
    for padding in ("valid", "same"):
        outputs += [
            layers.Conv2D(6, 3, padding=padding)(x),
            layers.Conv2D(6, (2, 3), strides=2, padding=padding, use_bias=False)(x),
            layers.Conv2D(6, 4, strides=(2, 3), padding=padding, activation="tanh")(x),
            layers.Conv2D(6, 3, dilation_rate=(2, 1), padding=padding)(x),
            layers.Conv2D(6, 3, groups=2, padding=padding)(x),
            layers.Conv2D(8, 3, groups=4, strides=2, padding=padding)(x),
            layers.DepthwiseConv2D(3, padding=padding)(x),
            layers.DepthwiseConv2D(3, depth_multiplier=3, strides=2, padding=padding)(x),
            layers.DepthwiseConv2D(3, dilation_rate=2, padding=padding, use_bias=False)(x),
            layers.SeparableConv2D(5, 3, padding=padding)(x),
            layers.SeparableConv2D(5, 3, depth_multiplier=2, strides=2, padding=padding, activation="relu")(x),
            layers.Conv2DTranspose(3, 3, padding=padding)(x),
            layers.Conv2DTranspose(3, 3, strides=2, padding=padding)(x),
            layers.Conv2DTranspose(3, 2, strides=3, padding=padding, use_bias=False)(x),
            layers.Conv2DTranspose(3, 4, strides=(2, 1), padding=padding)(x),
        ]
    outputs.append(layers.Conv2D(6, 1)(x))
    outputs.append(layers.Conv2DTranspose(3, 3, strides=2, padding="same", output_padding=1)(x))
    return keras.Model(x, outputs)


def convolutions_1d_3d(keras):
    layers = keras.layers
    x = keras.Input((17, 4), name="line")
    y = keras.Input((7, 6, 5, 2), name="volume")
    outputs = [
        layers.Conv1D(5, 3)(x),
        layers.Conv1D(5, 4, strides=2, padding="same")(x),
        layers.Conv1D(5, 3, padding="causal")(x),
        layers.Conv1D(5, 3, padding="causal", dilation_rate=3)(x),
        layers.Conv1D(4, 3, groups=2)(x),
        layers.DepthwiseConv1D(3, depth_multiplier=2)(x),
        layers.SeparableConv1D(6, 3, strides=2, padding="same")(x),
        layers.Conv1DTranspose(3, 3, strides=2, padding="same")(x),
        layers.Conv1DTranspose(3, 4, padding="valid")(x),
        layers.Conv3D(3, 3)(y),
        layers.Conv3D(3, (2, 3, 1), strides=2, padding="same")(y),
        layers.Conv3DTranspose(2, 3, strides=2, padding="same")(y),
        layers.MaxPooling1D(3, strides=2, padding="same")(x),
        layers.AveragePooling1D(3, strides=1, padding="same")(x),
        layers.MaxPooling3D(2)(y),
        layers.AveragePooling3D(2, padding="same")(y),
        layers.GlobalAveragePooling1D()(x),
        layers.GlobalMaxPooling1D(keepdims=True)(x),
        layers.GlobalAveragePooling3D()(y),
        layers.GlobalMaxPooling3D()(y),
        layers.ZeroPadding1D((2, 1))(x),
        layers.ZeroPadding3D(((1, 0), (0, 2), (1, 1)))(y),
        layers.Cropping1D((2, 3))(x),
        layers.Cropping3D(((1, 0), (0, 2), (1, 1)))(y),
        layers.UpSampling1D(3)(x),
        layers.UpSampling3D((2, 1, 3))(y),
        layers.SpatialDropout1D(0.4)(x),
    ]
    return keras.Model([x, y], outputs)


def pooling(keras):
    layers = keras.layers
    x = keras.Input((11, 9, 3))
    outputs = []
    for padding in ("valid", "same"):
        for kind in (layers.MaxPooling2D, layers.AveragePooling2D):
            outputs += [
                kind(2, padding=padding)(x),
                kind((3, 2), padding=padding)(x),
                kind(3, strides=1, padding=padding)(x),
                kind((2, 3), strides=(3, 2), padding=padding)(x),
            ]
    outputs += [
        layers.GlobalAveragePooling2D()(x),
        layers.GlobalAveragePooling2D(keepdims=True)(x),
        layers.GlobalMaxPooling2D()(x),
        layers.GlobalMaxPooling2D(keepdims=True)(x),
    ]
    return keras.Model(x, outputs)


def reshaping(keras):
    layers = keras.layers
    x = keras.Input((6, 4, 3))
    flat = keras.Input((5,), name="flat")
    outputs = [
        layers.Flatten()(x),
        layers.Reshape((12, 6))(x),
        layers.Reshape((-1, 9))(x),
        layers.Reshape((2, -1, 3, 2))(x),
        layers.Permute((3, 1, 2))(x),
        layers.RepeatVector(4)(flat),
        layers.Flatten()(flat),
        layers.ZeroPadding2D(2)(x),
        layers.ZeroPadding2D((1, 2))(x),
        layers.ZeroPadding2D(((1, 0), (0, 3)))(x),
        layers.Cropping2D(1)(x),
        layers.Cropping2D((2, 1))(x),
        layers.Cropping2D(((1, 0), (0, 2)))(x),
        layers.UpSampling2D()(x),
        layers.UpSampling2D((3, 2))(x),
        layers.UpSampling2D(2, interpolation="bilinear")(x),
    ]
    return keras.Model([x, flat], outputs)


def merging(keras):
    layers = keras.layers
    a = keras.Input((5, 4, 3), name="a")
    b = keras.Input((5, 4, 3), name="b")
    c = keras.Input((5, 4, 3), name="c")
    row = keras.Input((1, 4, 3), name="row")
    vector = keras.Input((3,), name="vector")
    outputs = [
        layers.Add()([a, b, c]),
        layers.Subtract()([a, b]),
        layers.Multiply()([a, b, c]),
        layers.Average()([a, b, c]),
        layers.Maximum()([a, b, c]),
        layers.Minimum()([a, b]),
        layers.Concatenate()([a, b, c]),
        layers.Concatenate(axis=1)([a, row]),
        layers.Concatenate(axis=-2)([a, b]),
        layers.Add()([a, row]),
        # Of another rank: the vector stands along the last axis.
        layers.Multiply()([a, vector]),
        layers.add([a, c]),
    ]
    return keras.Model([a, b, c, row, vector], outputs)


def normalization(keras):
    layers = keras.layers
    x = keras.Input((6, 5, 4))
    flat = keras.Input((7,), name="flat")
    outputs = [
        layers.BatchNormalization()(x),
        layers.BatchNormalization(scale=False, epsilon=0.01)(x),
        layers.BatchNormalization(center=False, momentum=0.9)(x),
        layers.BatchNormalization(center=False, scale=False)(x),
        layers.BatchNormalization(axis=1)(x),
        layers.BatchNormalization()(flat),
        layers.LayerNormalization()(x),
        layers.LayerNormalization(axis=[1, 2, 3], epsilon=1e-5)(x),
        layers.LayerNormalization(scale=False)(x),
        layers.LayerNormalization(center=False)(flat),
        layers.GroupNormalization(2)(x),
        layers.GroupNormalization(-1, scale=False)(x),
        layers.UnitNormalization()(x),
    ]
    if is_keras3(keras):
        outputs.append(layers.RMSNormalization()(x))
    frozen = layers.BatchNormalization()
    frozen.trainable = False
    outputs.append(frozen(x))
    return keras.Model([x, flat], outputs)


def preprocessing(keras):
    layers = keras.layers
    x = keras.Input((6, 5, 3))
    outputs = [
        layers.Rescaling(1 / 255.0)(x),
        layers.Rescaling(2, offset=-1)(x),
        layers.Rescaling([0.5, 2.0, 3.0], offset=[1.0, 0.0, -1.0])(x),
        layers.Normalization()(x),
        layers.Normalization(axis=None)(x),
        layers.Normalization(axis=(1, 3))(x),
        layers.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.2, 0.3, 0.04])(x),
        layers.Normalization(axis=None, mean=0.5, variance=2.0)(x),
        layers.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.2, 0.3, 0.04], invert=True)(x),
    ]
    return keras.Model(x, outputs)


def regularization(keras):
    layers = keras.layers
    x = keras.Input((6, 5, 4))
    y = layers.Dropout(0.5)(x)
    y = layers.Dropout(0.5, noise_shape=(None, 1, 1, 4), seed=3)(y)
    y = layers.SpatialDropout2D(0.2)(y)
    y = layers.GaussianNoise(0.5)(y)
    y = layers.GaussianDropout(0.5)(y)
    y = layers.AlphaDropout(0.2)(y)
    y = layers.ActivityRegularization(l1=0.1)(y)
    if is_keras3(keras):
        y = layers.Identity()(y)
    return keras.Model(x, layers.Dense(3)(y))


def nested(keras):
    """Models in models, one of them called twice, one with frozen layers, names that repeat inside."""
    layers = keras.layers
    inner_input = keras.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, name="conv")(inner_input)
    y = layers.BatchNormalization(name="norm")(y)
    y = layers.Conv2D(4, 3, name="conv2")(y)
    deepest = keras.Sequential(
        [keras.Input((4, 4, 4)), layers.Conv2D(4, 1, name="point"), layers.BatchNormalization(name="deep_norm")],
        name="deepest",
    )
    encoder = keras.Model(inner_input, deepest(y), name="encoder")
    encoder.get_layer("conv2").trainable = False
    head = keras.Sequential(
        [keras.Input((4, 4, 4)), layers.Flatten(), layers.Dense(5, name="dense"), layers.Dense(5, name="dense_b")],
        name="head",
    )
    a = keras.Input((8, 8, 3), name="a")
    b = keras.Input((8, 8, 3), name="b")
    left, right = encoder(a), encoder(b)
    joined = layers.Concatenate()([head(left), head(right)])
    return keras.Model([a, b], [layers.Dense(2, name="answer")(joined), layers.Subtract(name="gap")([left, right])])


def nested_ends(keras):
    """A nested model of two inputs and two outputs, one used directly as an output."""
    layers = keras.layers
    p = keras.Input((4,), name="p")
    q = keras.Input((6,), name="q")
    hidden = layers.Dense(5, name="hidden")
    inner = keras.Model([p, q], [layers.Dense(5, name="one")(p), hidden(q)], name="inner")
    a = keras.Input((4,), name="a")
    b = keras.Input((6,), name="b")
    one, two = inner([a, b])
    return keras.Model([b, a], [two, layers.Add(name="sum")([one, two]), one])


def shared(keras):
    """One layer called at several depths: A(B(A(B(x))))."""
    layers = keras.layers
    first = layers.Dense(6, activation="tanh", name="first")
    second = layers.Dense(6, name="second")
    x = keras.Input((6,))
    y = second(first(second(first(x))))
    return keras.Model(x, [y, first(y)])


def several_ends(keras):
    layers = keras.layers
    picture = keras.Input((8, 8, 2), name="picture")
    numbers = keras.Input((5,), name="numbers")
    features = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(picture))
    joined = layers.Concatenate()([features, layers.Dense(4)(numbers)])
    return keras.Model(
        [picture, numbers],
        [layers.Dense(3, activation="softmax", name="kind")(joined), layers.Dense(1, name="value")(joined), numbers],
    )


def named_ends(keras):
    """Inputs and outputs as dictionaries (Keras 3)."""
    layers = keras.layers
    left = keras.Input((4,), name="left")
    right = keras.Input((4,), name="right")
    y = layers.Add()([layers.Dense(3)(left), layers.Dense(3)(right)])
    return keras.Model({"right": right, "left": left}, {"sum": layers.Dense(2)(y), "raw": y})


def operators(keras):
    """Operators on tensors: keras.ops in Keras 3, TensorFlow's functions in Keras 2."""
    layers = keras.layers
    x = keras.Input((6, 4))
    y = layers.Dense(4)(x)
    outputs = [x + 3.0, x - y, 2.0 - x, x * y, 0.5 * x, x / 4.0, 1.0 / (x * x + 1.0), -x, x[:, 1:, ::2], x[:, 2], x[..., -1]]
    if is_keras3(keras):
        ops = keras.ops
        outputs += [
            ops.relu(x), ops.sigmoid(x), ops.tanh(x), ops.silu(x), ops.softmax(x), ops.softmax(x, axis=1), ops.gelu(x),
            ops.abs(x), ops.exp(x), ops.square(x), ops.sqrt(ops.abs(x)), ops.maximum(x, y), ops.minimum(x, 0.25),
            ops.mean(x, axis=1), ops.sum(x, axis=(1, 2)), ops.max(x, axis=-1, keepdims=True), ops.min(x, axis=1),
            ops.concatenate([x, y], axis=1), ops.transpose(x, (0, 2, 1)), ops.matmul(x, ops.transpose(y, (0, 2, 1))),
            ops.reshape(x, (-1, 24)), ops.expand_dims(x, 1), ops.squeeze(ops.expand_dims(x, 1), 1), ops.clip(x, -0.5, 0.5),
            ops.relu6(x), ops.hard_sigmoid(x), ops.leaky_relu(x, 0.3), ops.log(ops.abs(x) + 1.0), ops.power(ops.abs(x), 1.5),
        ]  # fmt: skip
    return keras.Model(x, outputs)


def dense_ranks(keras):
    layers = keras.layers
    x = keras.Input((3, 4, 5))
    return keras.Model(x, [layers.Dense(6)(x), layers.Dense(2, activation="gelu", use_bias=False)(x)])


def open_sizes(keras):
    """Sizes of the picture left open, as include_top=False models do."""
    layers = keras.layers
    x = keras.Input((None, None, 3), name="picture")
    y = layers.Conv2D(4, 3, strides=2, padding="same")(x)
    return keras.Model(x, layers.GlobalMaxPooling2D()(y))


def whole_numbers(keras):
    """Pixels as uint8."""
    layers = keras.layers
    x = keras.Input((6, 5, 3), dtype="uint8", name="pixels")
    return keras.Model(x, layers.Dense(4)(layers.Rescaling(1 / 255.0)(x)))


def is_keras3(keras):
    return keras.__version__.startswith("3")


ZOO = [
    sequential_plain, sequential_input, activations, activation_layers, convolutions, convolutions_1d_3d, pooling,
    reshaping, merging, normalization, preprocessing, regularization, nested, nested_ends, shared, several_ends, named_ends,
    operators, dense_ranks, open_sizes, whole_numbers,
]  # fmt: skip
# What Keras 2 can't say.
KERAS3_ONLY = [named_ends]
# Sizes for the inputs that a model leaves open.
OPEN_SIZES = {"open_sizes": (9, 7)}
