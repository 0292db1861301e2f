"""The networks in PyTorch; parameters are named as in the graphs of ckc-bench."""

import math
import os

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint


class Network(nn.Module):
    checkpoints = False

    def block(self, module, *inputs):
        """A block, run again in the backward pass where memory is to be saved."""
        if self.checkpoints:
            return checkpoint(module, *inputs, use_reentrant=False)
        return module(*inputs)


class Layer(nn.Module):
    def __init__(self, inputs, outputs, activation):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.activation = activation

    def forward(self, x):
        return self.activation(self.linear(x))


class Perceptron(Network):
    def __init__(self, d):
        super().__init__()
        activation = torch.relu if d["classes"] else torch.tanh
        self.blocks = nn.ModuleList(
            Layer(d["width"] if i else d["inputs"], d["width"], activation) for i in range(d["layers"]))
        self.head = nn.Linear(d["width"], d["classes"]) if d["classes"] else None

    def forward(self, x, y):
        for layer in self.blocks:
            x = self.block(layer, x)
        return F.cross_entropy(self.head(x), y) if self.head else F.mse_loss(x, y)


def convolution(inputs, outputs, window, stride=1, groups=1):
    return nn.Conv2d(inputs, outputs, window, stride, window // 2, groups=groups, bias=False)


class Stem(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self.conv = convolution(3, channels, 3, stride)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = convolution(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = convolution(outputs, outputs, 3), nn.BatchNorm2d(outputs)
        self.down = None
        if stride != 1 or inputs != outputs:
            self.down, self.bnd = convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.down is None else self.bnd(self.down(x))))


class Separable(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.dw, self.bn1 = convolution(inputs, inputs, 3, stride, inputs), nn.BatchNorm2d(inputs)
        self.pw, self.bn2 = convolution(inputs, outputs, 1), nn.BatchNorm2d(outputs)

    def forward(self, x):
        return F.relu(self.bn2(self.pw(F.relu(self.bn1(self.dw(x))))))


class Classifier(Network):
    def __init__(self, d, kind):
        super().__init__()
        self.stem = Stem(d["base"], d["stem_stride"])
        widths = [d["base"]] + [d["base"] * multiple for multiple, _ in d["blocks"]]
        self.blocks = nn.ModuleList(
            kind(i, o, stride) for i, o, (_, stride) in zip(widths, widths[1:], d["blocks"]))
        self.head = nn.Linear(widths[-1], d["classes"])

    def forward(self, x, y):
        x = self.block(self.stem, x)
        for block in self.blocks:
            x = self.block(block, x)
        return F.cross_entropy(self.head(x.mean((2, 3))), y)


class TransformerBlock(nn.Module):
    def __init__(self, d):
        super().__init__()
        width = d["width"]
        self.heads, self.rate = d["heads"], d["dropout"]
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, time, width = x.shape
        parts = self.qkv(self.ln1(x)).view(batch, time, 3, self.heads, -1)
        q, k, v = (part.transpose(1, 2) for part in parts.unbind(2))
        a = F.scaled_dot_product_attention(q, k, v, dropout_p=self.rate, is_causal=True)
        x = x + F.dropout(self.proj(a.transpose(1, 2).reshape(batch, time, width)), self.rate)
        wide = F.gelu(self.fc1(self.ln2(x)), approximate="tanh")
        return x + F.dropout(self.fc2(wide), self.rate)


class Transformer(Network):
    def __init__(self, d):
        super().__init__()
        self.rate = d["dropout"]
        self.tok = nn.Embedding(d["vocabulary"], d["width"])
        self.pos = nn.Embedding(d["context"], d["width"])
        self.blocks = nn.ModuleList(TransformerBlock(d) for _ in range(d["layers"]))
        self.lnf = nn.LayerNorm(d["width"])
        self.head = nn.Linear(d["width"], d["vocabulary"], bias=False)

    def forward(self, x, y):
        x = F.dropout(self.tok(x) + self.pos.weight, self.rate)
        for block in self.blocks:
            x = self.block(block, x)
        return F.cross_entropy(self.head(self.lnf(x)).flatten(0, 1), y.flatten())


class Pair(nn.Module):
    def __init__(self, inputs, outputs, groups):
        super().__init__()
        self.conv1, self.gn1 = convolution(inputs, outputs, 3), nn.GroupNorm(groups, outputs)
        self.conv2, self.gn2 = convolution(outputs, outputs, 3), nn.GroupNorm(groups, outputs)

    def forward(self, x):
        return F.relu(self.gn2(self.conv2(F.relu(self.gn1(self.conv1(x))))))


class Up(nn.Module):
    def __init__(self, channels, groups):
        super().__init__()
        self.up = nn.ConvTranspose2d(2 * channels, channels, 2, 2)
        self.pair = Pair(2 * channels, channels, groups)

    def forward(self, x, skip):
        return self.pair(torch.cat((skip, self.up(x)), 1))


class UNet(Network):
    def __init__(self, d):
        super().__init__()
        widths = [d["channels"]] + [d["base"] << level for level in range(d["levels"])]
        self.enc = nn.ModuleList(Pair(i, o, d["groups"]) for i, o in zip(widths, widths[1:]))
        self.dec = nn.ModuleList(Up(width, d["groups"]) for width in widths[-2:0:-1])
        self.head = nn.Conv2d(d["base"], d["channels"], 1)

    def forward(self, x, y):
        skips = []
        for level, pair in enumerate(self.enc):
            x = self.block(pair, F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for up, skip in zip(self.dec, skips[-2::-1]):
            x = self.block(up, x, skip)
        return F.mse_loss(self.head(x), y)


def network(name, d):
    if name in ("mlp", "deepmlp"):
        return Perceptron(d)
    if name == "unet":
        return UNet(d)
    if name in ("gpt", "gpt_drop"):
        return Transformer(d)
    return Classifier(d, Residual if name == "resnet18" else Separable)


class Training:
    """A network, its batch, and plain gradient descent. The mode is made of words joined by `_`."""

    def __init__(self, model, mode, folder):
        self.version = torch.__version__
        words = mode.split("_")
        torch.set_num_threads(model["threads"])
        torch.manual_seed(0)
        with np.load(os.path.join(folder, "torch.npz")) as numbers:
            numbers = {name: torch.from_numpy(numbers[name]) for name in numbers.files}
        net = network(model["network"], model["dimensions"])
        own = {name[2:]: value for name, value in numbers.items() if name[:2] in ("p.", "s.")}
        missing, unknown = net.load_state_dict(own, strict=False)
        if unknown or any(not name.endswith("num_batches_tracked") for name in missing):
            raise ValueError(f"parameters differ: {missing} {unknown}")
        net.checkpoints = "checkpoint" in words
        self.x, self.y = numbers["x"], numbers["y"]
        if self.y.dtype == torch.int32:
            self.y = self.y.long()
        if "f64" in words:
            net = net.double()
            self.x, self.y = (v.double() if v.is_floating_point() else v for v in (self.x, self.y))
        if "last" in words:  # channels_last
            net = net.to(memory_format=torch.channels_last)
            self.x = self.x.to(memory_format=torch.channels_last)
        self.net, self.rate = net, model["learning_rate"]
        self.loss = torch.compile(net) if "compile" in words else net

    def step(self):
        loss = self.loss(self.x, self.y)
        loss.backward()
        with torch.no_grad():
            for parameter in self.net.parameters():
                parameter.add_(parameter.grad, alpha=-self.rate)
                parameter.grad = None
        return loss.item()

    def squares_of_statistics(self):
        return math.fsum(
            float(value.double().square().sum())
            for name, value in self.net.named_buffers() if "running" in name)
