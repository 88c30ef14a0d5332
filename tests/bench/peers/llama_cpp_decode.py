"""Decoding by llama.cpp, two threads, with the protocol of serve.ts.

    python llama_cpp_decode.py model.gguf tokens    a step is that many new tokens, greedily, after the same prompt

In the loss's stead it answers a number made of the tokens. The first new token of a step comes from reading the prompt, which is
outside of the time.
"""

import json
import sys
import time

import llama_cpp
import numpy

PROMPT = [1 + 7919 * (i + 1) % 40000 for i in range(16)]


def serve(file, count):
    model = llama_cpp.Llama(file, n_ctx=256, n_threads=2, n_threads_batch=2, verbose=False)
    for line in sys.stdin:
        milliseconds, made = [], []
        for _ in range(int(line.split()[1])):
            model.reset()
            model.eval(PROMPT)
            last = lambda: int(numpy.asarray(model.scores[model.n_tokens - 1]).argmax())
            made = [last()]
            start = time.perf_counter()
            while len(made) < count:
                model.eval(made[-1:])
                made.append(last())
            milliseconds.append(1000 * (time.perf_counter() - start))
        print(json.dumps({"milliseconds": milliseconds, "loss": sum(id * (at % 7 + 1) for at, id in enumerate(made))}), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
