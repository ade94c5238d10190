"""Weights and batch statistics that hide nothing: no zeros, no ones, and activations that neither vanish nor explode."""
import numpy

LARGE_PICTURE = 300 * 300 * 3


def randomize(model, sample, seed: int = 0) -> None:
    """`sample` is a batch of inputs; batch statistics are those it gives, disturbed a little."""
    random = numpy.random.default_rng(seed)
    normalizations = []
    for layer in _layers(model):
        weights = layer.get_weights()
        if not weights or _has_layers(layer):
            continue
        kind = type(layer).__name__
        if kind == "BatchNormalization":
            normalizations.append((layer, layer.momentum))
            layer.momentum = 0.0
        layer.set_weights([_random_weight(random, kind, v) for v in layer.weights])
        if kind == "Normalization":
            layer.finalize_state()
    if normalizations:
        _calibrate(model, sample, normalizations, random)
    _spread_scores(model, sample)


def call(model, inputs, training: bool):
    """What the model answers. Called as it is, Keras holds every activation until the end; compiled, it does not."""
    if numpy.prod([size or 1 for size in model.inputs[0].shape[1:]]) <= LARGE_PICTURE:
        return model(inputs, training=training)
    import tensorflow

    return tensorflow.function(lambda values: model(values, training=training))(inputs)


def _calibrate(model, sample, normalizations, random) -> None:
    call(model, sample, training=True)
    for layer, momentum in normalizations:
        layer.momentum = momentum
        values = layer.get_weights()
        # In proportion to what was measured, lest small signals drown; a channel that is dead stays bounded.
        variance = numpy.maximum(values[-1], 0.1 * values[-1].mean() + 1e-6)
        values[-2] = values[-2] + 0.1 * numpy.sqrt(variance) * random.standard_normal(variance.shape)
        values[-1] = variance * random.uniform(0.8, 1.25, variance.shape)
        layer.set_weights(values)


def _spread_scores(model, sample) -> None:
    """Logits far apart turn rounding errors into large differences of scores: scales the classifier that makes them."""
    output = call(model, sample, training=False)
    if isinstance(output, (list, tuple, dict)):
        return
    scores = numpy.asarray(output)
    if scores.ndim != 2 or scores.min() < 0 or abs(scores.sum(axis=1) - 1).max() > 1e-3:
        return
    spread = numpy.log(numpy.maximum(scores, 1e-30)).std(axis=1).mean()
    layers = [layer for layer in _layers(model) if layer.get_weights() and layer.get_weights()[0].shape[-1] == scores.shape[1]]
    if layers and spread > 0.3:
        weights = layers[-1].get_weights()
        layers[-1].set_weights([weight * 0.3 / spread for weight in weights])


def _has_layers(layer) -> bool:
    return bool(getattr(layer, "layers", None))


def _layers(model):
    for layer in model.layers:
        if _has_layers(layer):
            yield from _layers(layer)
        else:
            yield layer


def _random_weight(random, kind: str, variable):
    shape = tuple(variable.shape)
    name = variable.name.split("/")[-1].split(":")[0]
    if name in ("gamma", "alpha"):
        # Branches that change little of what they are added to: else depth turns rounding errors into noise above
        # the tolerance, in Keras itself (ResNet152 in float32 and in float64 differed by 9e-4).
        low, high = {"LayerScale": (0.1, 0.5), "BatchNormalization": (0.1, 0.25)}.get(kind, (0.7, 1.3))
        return random.uniform(low, high, shape)
    if name in ("beta", "bias", "moving_mean"):
        return 0.1 * random.standard_normal(shape)
    if name == "count" or "seed" in name:
        return numpy.array(variable)
    if name == "mean":
        return 0.4 + 0.1 * random.standard_normal(shape)
    if name == "variance":
        return random.uniform(0.2, 1.0, shape)
    if name == "moving_variance":
        return random.uniform(0.5, 1.5, shape)
    # Kernels: variance as He et al. 2015, so that depth changes no scale.
    fan_in = numpy.prod(shape[:-1])
    if name == "depthwise_kernel" or kind.startswith("DepthwiseConv"):
        fan_in = numpy.prod(shape[:-2])
    return random.standard_normal(shape) * numpy.sqrt(1.5 / max(1, fan_in))
