"""Weights and batch statistics that hide nothing: no zeros, no ones, and activations that neither vanish nor explode."""
import numpy


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
    if not normalizations:
        return
    model(sample, training=True)
    for layer, momentum in normalizations:
        layer.momentum = momentum
        values = layer.get_weights()
        values[-2] = values[-2] + 0.1 * random.standard_normal(values[-2].shape)
        values[-1] = (values[-1] + 1e-2) * random.uniform(0.8, 1.25, values[-1].shape)
        layer.set_weights(values)


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
        low, high = (0.1, 0.5) if kind == "LayerScale" else (0.7, 1.3)
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
