"""The networks in JAX: images NHWC, weights [in, out] and HWIO, as the graphs of ckc-bench have them."""

import math
import os

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

IMAGES = ("NHWC", "HWIO", "NHWC")


def within(tree, prefix):
    return {name[len(prefix) + 1:]: value for name, value in tree.items() if name.startswith(prefix + ".")}


def linear(p, name, x):
    y = x @ p[name + ".weight"]
    return y + p[name + ".bias"] if name + ".bias" in p else y


def convolution(p, name, x, stride=1, groups=1):
    w = p[name + ".weight"]
    pad = w.shape[0] // 2
    y = lax.conv_general_dilated(
        x, w, (stride, stride), [(pad, pad)] * 2, dimension_numbers=IMAGES, feature_group_count=groups)
    return y + p[name + ".bias"] if name + ".bias" in p else y


def standardized(x, axes):
    mean = x.mean(axes, keepdims=True)
    variance = jnp.square(x - mean).mean(axes, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5), mean, variance


def norm(p, name, x):
    return standardized(x, -1)[0] * p[name + ".weight"] + p[name + ".bias"]


def batch_norm(p, s, name, x, new):
    y, mean, variance = standardized(x, (0, 1, 2))
    count = math.prod(x.shape[:3])
    for statistic, value in (("mean", mean), ("var", variance * (count / (count - 1)))):
        old = s[f"{name}.running_{statistic}"]
        new[f"{name}.running_{statistic}"] = 0.9 * old + 0.1 * lax.stop_gradient(value.ravel())
    return y * p[name + ".weight"] + p[name + ".bias"]


def group_norm(p, name, x, groups):
    batch, height, width, channels = x.shape
    y = standardized(x.reshape(batch, height, width, groups, channels // groups), (1, 2, 4))[0]
    return y.reshape(x.shape) * p[name + ".weight"] + p[name + ".bias"]


def cross_entropy(logits, labels):
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], -1)
    return -picked.mean()


def dropout(x, rate, key):
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0) if rate else x


def perceptron(d, block):
    activation = jax.nn.relu if d["classes"] else jnp.tanh

    def loss(p, s, x, y, key):
        layer = block(lambda p, x: activation(linear(p, "linear", x)))
        for i in range(d["layers"]):
            x = layer(within(p, f"blocks.{i}"), x)
        return (cross_entropy(linear(p, "head", x), y) if d["classes"] else jnp.square(x - y).mean()), {}

    return loss


def stem(stride):
    def run(p, s, x):
        new = {}
        return jax.nn.relu(batch_norm(p, s, "bn", convolution(p, "conv", x, stride), new)), new

    return run


def residual(stride):
    def run(p, s, x):
        new = {}
        h = jax.nn.relu(batch_norm(p, s, "bn1", convolution(p, "conv1", x, stride), new))
        h = batch_norm(p, s, "bn2", convolution(p, "conv2", h), new)
        if "down.weight" in p:
            x = batch_norm(p, s, "bnd", convolution(p, "down", x, stride), new)
        return jax.nn.relu(h + x), new

    return run


def separable(stride):
    def run(p, s, x):
        new = {}
        h = convolution(p, "dw", x, stride, groups=x.shape[-1])
        h = jax.nn.relu(batch_norm(p, s, "bn1", h, new))
        return jax.nn.relu(batch_norm(p, s, "bn2", convolution(p, "pw", h), new)), new

    return run


def classifier(d, kind, block):
    parts = [("stem", stem(d["stem_stride"]))]
    parts += [(f"blocks.{i}", kind(stride)) for i, (_, stride) in enumerate(d["blocks"])]

    def loss(p, s, x, y, key):
        new = {}
        for name, part in parts:
            x, changed = block(part)(within(p, name), within(s, name), x)
            new.update({f"{name}.{statistic}": value for statistic, value in changed.items()})
        return cross_entropy(linear(p, "head", x.mean((1, 2))), y), new

    return loss


def transformer(d, block):
    rate = d["dropout"]

    def layer(p, x, key):
        keys = jax.random.split(key, 3)
        batch, time, width = x.shape
        parts = jnp.einsum("btc,cphd->pbhtd", norm(p, "ln1", x), p["qkv.weight"])
        q, k, v = parts + p["qkv.bias"][:, None, :, None, :]
        scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
        weights = jax.nn.softmax(jnp.where(jnp.tri(time, dtype=bool), scores, -jnp.inf))
        a = (dropout(weights, rate, keys[0]) @ v).swapaxes(1, 2).reshape(x.shape)
        x = x + dropout(linear(p, "proj", a), rate, keys[1])
        h = linear(p, "fc2", jax.nn.gelu(linear(p, "fc1", norm(p, "ln2", x)), approximate=True))
        return x + dropout(h, rate, keys[2])

    def loss(p, s, x, y, key):
        h = dropout(p["tok.weight"][x] + p["pos.weight"], rate, key)
        run = block(layer)
        for i in range(d["layers"]):
            h = run(within(p, f"blocks.{i}"), h, jax.random.fold_in(key, i))
        return cross_entropy(linear(p, "head", norm(p, "lnf", h)), y), {}

    return loss


def unet(d, block):
    def pair(p, x):
        x = jax.nn.relu(group_norm(p, "gn1", convolution(p, "conv1", x), d["groups"]))
        return jax.nn.relu(group_norm(p, "gn2", convolution(p, "conv2", x), d["groups"]))

    def up(p, x, skip):
        wide = lax.conv_general_dilated(
            x, p["up.weight"], (1, 1), [(1, 1)] * 2, lhs_dilation=(2, 2), dimension_numbers=IMAGES)
        return pair(within(p, "pair"), jnp.concatenate((skip, wide + p["up.bias"]), -1))

    def loss(p, s, x, y, key):
        skips = []
        for level in range(d["levels"]):
            if level:
                x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
            x = block(pair)(within(p, f"enc.{level}"), x)
            skips.append(x)
        for i, skip in enumerate(skips[-2::-1]):
            x = block(up)(within(p, f"dec.{i}"), x, skip)
        return jnp.square(convolution(p, "head", x) - y).mean(), {}

    return loss


def loss_function(name, d, block):
    if name in ("mlp", "deepmlp"):
        return perceptron(d, block)
    if name == "unet":
        return unet(d, block)
    if name in ("gpt", "gpt_drop"):
        return transformer(d, block)
    return classifier(d, residual if name == "resnet18" else separable, block)


class Training:
    """A network, its batch, and plain gradient descent, compiled as one function."""

    def __init__(self, model, mode, folder):
        self.version = jax.__version__
        block = jax.checkpoint if "checkpoint" in mode else lambda f: f
        loss = loss_function(model["network"], model["dimensions"], block)
        with np.load(os.path.join(folder, "graph.npz")) as numbers:
            numbers = {name: jnp.array(numbers[name]) for name in numbers.files}
        parameters = {name[2:]: value for name, value in numbers.items() if name[:2] == "p."}
        state = {name[2:]: value for name, value in numbers.items() if name[:2] == "s."}
        rate = model["learning_rate"]

        def step(p, s, count, x, y):
            key = jax.random.fold_in(jax.random.key(0), count)
            (value, new), gradients = jax.value_and_grad(loss, has_aux=True)(p, s, x, y, key)
            return jax.tree.map(lambda w, g: w - rate * g, p, gradients), new, count + 1, value

        self.batch = (numbers["x"], numbers["y"])
        self.carried = (parameters, state, jnp.int32(0))
        self.compiled = jax.jit(step, donate_argnums=(0, 1, 2)).lower(*self.carried, *self.batch).compile()

    def step(self):
        *carried, loss = self.compiled(*self.carried, *self.batch)
        self.carried = jax.block_until_ready(tuple(carried))
        return float(loss)

    def squares_of_statistics(self):
        return math.fsum(float(np.square(np.asarray(v, np.float64)).sum()) for v in self.carried[1].values())
