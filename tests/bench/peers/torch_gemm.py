"""The products of ../gemm.ts in torch, two threads, with the protocol of ../serve.ts.

    python torch_gemm.py product
"""

import json
import sys
import time

import torch


def operand(number, size):
    values = (torch.arange(size, dtype=torch.int64) * 48271 + number * 7919) % 65537
    return (values.double() / 65537).float()


def main():
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    product = json.loads(sys.argv[1])
    batch, m, k, n = (product[name] for name in ("batch", "m", "k", "n"))

    def stored(number, rows, columns, transposed):
        values = operand(number, batch * rows * columns)
        lie = values.view(batch, columns, rows).transpose(1, 2) if transposed else values.view(batch, rows, columns)
        # Matrices where there is one alone: torch then takes its faster way.
        return lie if batch > 1 else lie[0]

    count = product["count"]
    left = [stored(2 * i, m, k, product["leftTransposed"]) for i in range(count)]
    right = [stored(2 * i + 1, k, n, product["rightTransposed"]) for i in range(count)]
    shape = (batch, m, n) if batch > 1 else (m, n)
    out = [torch.empty(shape) for _ in range(count)]
    for line in sys.stdin:
        milliseconds = []
        for _ in range(int(line.split()[1])):
            start = time.perf_counter()
            for a, b, c in zip(left, right, out):
                torch.matmul(a, b, out=c)
            milliseconds.append(1000 * (time.perf_counter() - start))
        element = out[-1].view(batch, m, n)[-1, 3, 5].item()
        print(json.dumps({"milliseconds": milliseconds, "loss": element}), flush=True)


if __name__ == "__main__":
    main()
