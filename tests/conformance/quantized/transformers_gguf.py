"""What transformers computes with the dequantized weights of a GGUF file, in float32.

    python transformers_gguf.py model.gguf given.json answer.json

given.json:  { texts: lists of token ids, prompts: lists of token ids, newTokens, endTokens: ids that end a text, threads }
answer.json: { losses: sum of the negative log-likelihoods of each text's tokens after its first, tokens: how many those are,
               perplexity, greedy: what follows each prompt, to an end token or `newTokens`, logits: those of the last position
               of each prompt }

The ids are the caller's: transformers' own reading of a GGUF file's tokenizer is another one.
"""

import json
import math
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers


def load(file):
    directory, name = os.path.split(os.path.abspath(file))
    model = transformers.AutoModelForCausalLM.from_pretrained(directory, gguf_file=name, dtype=torch.float32)
    return model.eval()


def loss_of(model, ids):
    """Sum over the tokens after the first."""
    logits = model(torch.tensor([ids])).logits[0, :-1].double()
    return torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="sum").item()


def greedy(model, ids, count, end):
    tokens = torch.tensor([ids])
    options = dict(max_new_tokens=count, do_sample=False, eos_token_id=end, pad_token_id=0)
    found = model.generate(tokens, attention_mask=torch.ones_like(tokens), **options)
    return found[0, len(ids) :].tolist()


@torch.no_grad()
def main():
    file, given, answer = sys.argv[1:]
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with open(given) as source:
        given = json.load(source)
    torch.set_num_threads(given.get("threads", 2))
    model = load(file)
    losses = [loss_of(model, ids) for ids in given["texts"]]
    tokens = sum(len(ids) - 1 for ids in given["texts"])
    result = dict(
        losses=losses,
        tokens=tokens,
        perplexity=math.exp(sum(losses) / tokens) if tokens else None,
        greedy=[greedy(model, ids, given["newTokens"], given["endTokens"]) for ids in given["prompts"]],
        logits=[model(torch.tensor([ids])).logits[0, -1].tolist() for ids in given["prompts"]],
    )
    with open(answer, "w") as target:
        json.dump(result, target)


if __name__ == "__main__":
    main()
