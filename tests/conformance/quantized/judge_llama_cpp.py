"""llama.cpp as a judge of GGUF files.

    python judge_llama_cpp.py quantize in.gguf out.gguf TYPE          TYPE as llama.cpp has it: F16, Q8_0, Q6_K, Q5_K_M, Q4_K_M, ...
    python judge_llama_cpp.py tokenize model.gguf texts.json out.json  texts: strings; out: lists of ids, no token put before or after
    python judge_llama_cpp.py score model.gguf given.json out.json     what it predicts when it is told each token (below)

given.json of `score`: { texts: lists of token ids, threads }. out.json: { likeliest: of each text, after each of its tokens, the
token that llama.cpp finds likeliest; losses: sum of the negative log-likelihoods of each text's tokens after its first;
tokens: how many those are }.
"""

import ctypes
import json
import sys

import llama_cpp
import numpy


def quantize(source, target, kind):
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
    options.allow_requantize = True
    options.nthread = 2
    if llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(options)) != 0:
        raise RuntimeError(f"llama.cpp does not make {kind} of {source}")


def load(file, **options):
    return llama_cpp.Llama(file, verbose=False, **options)


def tokenize(file, texts):
    model = load(file, vocab_only=True)
    return [model.tokenize(text.encode(), add_bos=False, special=False) for text in texts]


def score(file, given):
    texts = given["texts"]
    longest = max(map(len, texts))
    sizes = dict(n_ctx=longest, n_batch=min(512, longest), n_threads=given.get("threads", 2))
    model = load(file, logits_all=True, **sizes, n_threads_batch=sizes["n_threads"])
    likeliest, losses = [], []
    for ids in texts:
        model.reset()
        model.eval(ids)
        logits = numpy.asarray(model.scores[: len(ids)], dtype=numpy.float64)
        likeliest.append(logits.argmax(-1).tolist())
        top = logits.max(-1)
        total = top + numpy.log(numpy.exp(logits - top[:, None]).sum(-1))
        losses.append(float((total[:-1] - logits[numpy.arange(len(ids) - 1), ids[1:]]).sum()))
    return dict(likeliest=likeliest, losses=losses, tokens=sum(len(ids) - 1 for ids in texts))


def main():
    command, file, *rest = sys.argv[1:]
    if command == "quantize":
        return quantize(file, *rest)
    given, target = rest
    with open(given) as source:
        given = json.load(source)
    with open(target, "w") as out:
        json.dump({"tokenize": tokenize, "score": score}[command](file, given), out)


if __name__ == "__main__":
    main()
