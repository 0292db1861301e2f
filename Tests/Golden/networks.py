"""The networks of this folder in JAX, in binary64: prints the losses of five steps of gradient descent
with the learning rate 0.125, and the last running statistics, that ExampleTests compare with.

    python3 -m venv venv && venv/bin/pip install jax && venv/bin/python Tests/Golden/networks.py

Argument k of @main starts with the numbers (0, 1, or 0) + scale * sin(0.7 i + 1.3 k) at the places i:
`normal(s)` is s sin(...), `zeros` and `ones` are that number plus 0.1 sin(...), inputs are sin(...);
integers are (7 i + k) % limit.
"""
import pathlib, re
import jax, jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
here = pathlib.Path(__file__).parent


def arguments(name, limit):
    values = {}
    head = (here / f"{name}.ir").read_text().split("->")[0]
    pattern = r"(param |state |)%([\w.]+): (\w+)\[([\d, ]*)\](?: = (\w+)(?:\(([\d.]+)\))?)?"
    for k, (role, arg, dtype, dims, init, scale) in enumerate(re.findall(pattern, head)):
        shape = [int(d) for d in dims.split(",")]
        i = np.arange(np.prod(shape))
        if dtype != "f32":
            value = (7 * i + k) % limit
        else:
            size = {"normal": float(scale or 1), "zeros": 0.1, "ones": 0.1}.get(init, 1.0)
            value = (init == "ones") + size * np.sin(0.7 * i + 1.3 * k)
        values[arg] = (role.strip(), jnp.asarray(value.reshape(shape)))
    return values


def cross_entropy(logits, labels):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], -1))


def conv(x, k, stride=1):
    pad = [(k.shape[0] // 2,) * 2] * 2
    return jax.lax.conv_general_dilated(
        x, k, (stride, stride), pad, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def layer_norm(x, g, b):
    return (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5) * g + b


def gpt(p, s):
    x = p["embedding"][s["tokens"]] + p["position"]
    future = jnp.triu(jnp.full((x.shape[1],) * 2, -jnp.inf), 1)
    for i in "12":
        n = layer_norm(x, p[f"g{i}.1"], p[f"b{i}.1"])
        q, k, v = (jnp.einsum("bsc,chd->bhsd", n, p[w + i]) for w in ("wq", "wk", "wv"))
        scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) / np.sqrt(q.shape[-1]) + future
        heads = jnp.einsum("bhqk,bhkd->bhqd", jax.nn.softmax(scores), v)
        x = x + jnp.einsum("bhsd,hdc->bsc", heads, p["wo" + i])
        n = layer_norm(x, p[f"g{i}.2"], p[f"b{i}.2"])
        h = jax.nn.gelu(n @ p[f"w{i}.1"] + p[f"c{i}.1"], approximate=True)
        x = x + h @ p[f"w{i}.2"] + p[f"c{i}.2"]
    return cross_entropy(layer_norm(x, p["g"], p["b"]) @ p["embedding"].T, s["targets"]), {}


def resnet(p, s):
    new = {}

    def norm(x, i):
        mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        count = x.size // x.shape[-1]
        new[f"m{i}"] = 0.9 * s[f"m{i}"] + 0.1 * mean
        new[f"v{i}"] = 0.9 * s[f"v{i}"] + 0.1 * var * count / (count - 1)
        return (x - mean) / jnp.sqrt(var + 1e-5) * p[f"g{i}"] + p[f"b{i}"]

    x = jax.nn.relu(norm(conv(s["x"], p["k0"]), 0))
    h = jax.nn.relu(norm(conv(x, p["k1"]), 1))
    x = jax.nn.relu(norm(conv(h, p["k2"]), 2) + x)
    h = jax.nn.relu(norm(conv(x, p["k3"], 2), 3))
    x = jax.nn.relu(norm(conv(h, p["k4"]), 4) + conv(x, p["k5"], 2))
    return cross_entropy(x.mean((1, 2)) @ p["w"] + p["b"], s["labels"]), new


def unet(p, s):
    def norm(x, g, b):
        y = x.reshape(x.shape[0], -1, 2, x.shape[-1] // 2)
        y = (y - y.mean((1, 3), keepdims=True)) / jnp.sqrt(y.var((1, 3), keepdims=True) + 1e-5)
        return y.reshape(x.shape) * g + b

    def double_conv(x, name):
        for i in "12":
            y = norm(conv(x, p[f"{name}.k{i}"]), p[f"{name}.g{i}"], p[f"{name}.b{i}"])
            x = jax.nn.silu(y)
        return x

    def pool(x):
        window = (1, 2, 2, 1)
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")

    def up(x):
        return x.repeat(2, 1).repeat(2, 2)

    d1 = double_conv(s["x"], "down1")
    d2 = double_conv(pool(d1), "down2")
    low = double_conv(pool(d2), "low")
    u2 = double_conv(jnp.concatenate([up(low), d2], -1), "up2")
    u1 = double_conv(jnp.concatenate([up(u2), d1], -1), "up1")
    return cross_entropy(u1 @ p["w"] + p["b"], s["labels"]), {}


for network, limit in ((gpt, 11), (resnet, 5), (unet, 2)):
    values = arguments(network.__name__, limit)
    params = {n: v for n, (role, v) in values.items() if role == "param"}
    others = {n: v for n, (role, v) in values.items() if role != "param"}
    losses = []
    for _ in range(5):
        (loss, state), grads = jax.value_and_grad(network, has_aux=True)(params, others)
        params = {n: v - 0.125 * grads[n] for n, v in params.items()}
        others |= state
        losses.append(float(loss))
    print(network.__name__, losses, {n: float(v.sum()) for n, v in state.items()})
