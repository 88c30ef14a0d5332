"""The small step in torch eager, two threads: the model of small_step.ts with the protocol of serve.ts."""

import json
import math
import sys
import time

import torch
import torch.nn.functional as F

VOCABULARY, WIDTH, HEADS, LAYERS, FEED_FORWARD, ROWS, TOKENS = 256, 128, 4, 2, 512, 4, 64


def generator(state):
    while True:
        state = state * 48271 % 2147483647
        yield state


def initial_parameters():
    layer = [
        ("norm1.weight", [WIDTH]),
        ("norm1.bias", [WIDTH]),
        ("qkv.weight", [WIDTH, 3 * WIDTH]),
        ("qkv.bias", [3 * WIDTH]),
        ("out.weight", [WIDTH, WIDTH]),
        ("out.bias", [WIDTH]),
        ("norm2.weight", [WIDTH]),
        ("norm2.bias", [WIDTH]),
        ("up.weight", [WIDTH, FEED_FORWARD]),
        ("up.bias", [FEED_FORWARD]),
        ("down.weight", [FEED_FORWARD, WIDTH]),
        ("down.bias", [WIDTH]),
    ]
    shapes = [("embedding", [VOCABULARY, WIDTH]), ("position", [TOKENS, WIDTH])]
    shapes += [(f"layer.{i}.{name}", shape) for i in range(LAYERS) for name, shape in layer]
    shapes += [("norm.weight", [WIDTH]), ("norm.bias", [WIDTH]), ("head", [WIDTH, VOCABULARY])]
    numbers, scale = generator(1), 0.02 * math.sqrt(3)
    parameters = {}
    for name, shape in shapes:
        if len(shape) > 1:
            values = [scale * (2 * next(numbers) / 2147483647 - 1) for _ in range(math.prod(shape))]
            parameters[name] = torch.tensor(values, dtype=torch.float32).reshape(shape)
        else:
            parameters[name] = torch.ones(shape) if name.endswith(".weight") else torch.zeros(shape)
        parameters[name].requires_grad_()
    return parameters


def loss_of(p, x, y):
    norm = lambda h, name: F.layer_norm(h, [WIDTH], p[name + ".weight"], p[name + ".bias"], 1e-5)
    # As transformers' GPT-2 does it: one call.
    flat = lambda h, name: torch.addmm(p[name + ".bias"], h.view(ROWS * TOKENS, -1), p[name + ".weight"])
    linear = lambda h, name: flat(h, name).view(ROWS, TOKENS, -1)
    h = F.embedding(x, p["embedding"]) + p["position"]
    for i in range(LAYERS):
        at = f"layer.{i}."
        parts = linear(norm(h, at + "norm1"), at + "qkv").split(WIDTH, -1)
        q, k, v = (part.view(ROWS, TOKENS, HEADS, -1).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(ROWS, TOKENS, WIDTH)
        h = h + linear(mixed, at + "out")
        h = h + linear(F.gelu(linear(norm(h, at + "norm2"), at + "up"), approximate="tanh"), at + "down")
    logits = norm(h, "norm") @ p["head"]
    return F.cross_entropy(logits.view(-1, VOCABULARY), y.reshape(-1))


def main():
    torch.set_num_threads(2)
    numbers = generator(2)
    text = torch.tensor([next(numbers) % VOCABULARY for _ in range(ROWS * (TOKENS + 1))]).view(ROWS, TOKENS + 1)
    x, y = text[:, :-1], text[:, 1:]
    parameters = initial_parameters()
    groups = [
        dict(params=[p for p in parameters.values() if p.ndim > 1], weight_decay=0.01),
        dict(params=[p for p in parameters.values() if p.ndim == 1], weight_decay=0.0),
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    for line in sys.stdin:
        milliseconds, loss = [], None
        for _ in range(int(line.split()[1])):
            start = time.perf_counter()
            optimizer.zero_grad()
            loss = loss_of(parameters, x, y)
            loss.backward()
            optimizer.step()
            milliseconds.append(1000 * (time.perf_counter() - start))
        print(json.dumps({"milliseconds": milliseconds, "loss": loss.item()}), flush=True)


if __name__ == "__main__":
    main()
