"""What one version of transformers makes of directories whose files were changed.

    python reference_mutations.py jobs.json output.jsonl

jobs.json: { texts, jobs: [{ directory, tokenizer, head, tokens }] }. `tokenizer`: whether there is one; `head`: of which kind of model logits are
wanted, if any. One line of JSON a job: { tokenizer: { texts: [[ids, ids without special tokens, decoded, decoded without special
tokens]], special } or { error }, model: { outputs, width, columns, sums } or { error } }: of each position every few columns, and the
logarithm of the sum of exponentials of all. Weights that the files do not have are an error: transformers would draw them.
"""

import json
import logging
import os
import resource
import sys
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import torch
import transformers
from transformers import AutoTokenizer

ROLES = ("pad", "eos", "bos", "mask")


def read_tokenizer(directory, texts):
    tokenizer = AutoTokenizer.from_pretrained(directory)
    answers = []
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        plain = tokenizer(text, add_special_tokens=False)["input_ids"]
        answers.append([ids, plain, tokenizer.decode(ids), tokenizer.decode(ids, skip_special_tokens=True)])
    special = {role: getattr(tokenizer, role + "_token_id") for role in ROLES}
    return dict(texts=answers, special=special)


@torch.no_grad()
def read_model(directory, head, tokens):
    seq2seq = head == "ForConditionalGeneration"
    kind = getattr(transformers, "AutoModel" + ("ForSeq2SeqLM" if seq2seq else head.removeprefix("Model")))
    # By default some versions compute attention in a way that leaves out parts of the config, without a word.
    model, info = kind.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    if info["missing_keys"] or info["mismatched_keys"]:
        return dict(error=f"new weights: {sorted(info['missing_keys'])[:3]} {info['mismatched_keys']}")
    row = torch.tensor([tokens])
    out = model.eval()(row, return_dict=True, **(dict(labels=row) if seq2seq else {}))
    logits = out.last_hidden_state if head == "Model" else out.logits
    logits = logits.double().reshape(-1, logits.shape[-1])
    every = max(1, logits.shape[-1] // 6)
    rounded = lambda tensor: [round(x, 6) for x in tensor.flatten().tolist()]
    return dict(
        width=logits.shape[-1], every=every, outputs=rounded(logits[:, ::every]), sums=rounded(logits.logsumexp(-1))
    )


def attempt(work, *words):
    try:
        return work(*words)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the tokenizers' Rust panics are no Exception
        return dict(error=f"{type(error).__name__}: {str(error)[:300]}")


def main():
    torch.set_num_threads(1)
    # A changed model type can ask for a model of its family's usual size.
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with open(sys.argv[1]) as file:
        given = json.load(file)
    with open(sys.argv[2], "w") as output:
        for job in given["jobs"]:
            answer = {}
            if job["tokenizer"]:
                answer["tokenizer"] = attempt(read_tokenizer, job["directory"], given["texts"])
            if job["head"] is not None:
                answer["model"] = attempt(read_model, job["directory"], job["head"], job["tokens"])
            output.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
