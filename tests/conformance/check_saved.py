"""Loads adapters and models that Espalier saved into PEFT and transformers, and writes their logits.

    python check_saved.py jobs.json

jobs.json: a list of { model, saved, head, adapter, hub, batches, output }. `saved` is a directory with an adapter for `model`
(where `hub` is true, AdapterHub's), or, where `adapter` is false, with a whole model. One line of JSON a job: { output, errors }. A key that is missing, unexpected or
of the wrong shape is an error; PEFT itself would only warn.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file, save_file

import reference_adapters
import reference_quantized
from reference import HEADS, accept_past_key_values, as_tensors, logits_of


def load_model(directory, head):
    kind = getattr(transformers, "AutoModel" + HEADS[head][0])
    model, info = kind.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    problems = {what: found for what, found in info.items() if found}
    if problems:
        raise ValueError(f"{directory}: {problems}")
    return model


def run(job):
    model = load_model(job["model"] if job["adapter"] else job["saved"], job["head"])
    if job.get("quantized") is not None:
        model = reference_quantized.in_layers(model, job["quantized"])
    if job["groups"]:
        model = reference_quantized.load(model, job["saved"])
    elif job["hub"]:
        model = reference_adapters.load(model, job["saved"])
    elif job["adapter"]:
        model = PeftModel.from_pretrained(accept_past_key_values(model), job["saved"])
        expected = set(get_peft_model_state_dict(model))
        given = set(load_file(os.path.join(job["saved"], "adapter_model.safetensors")))
        if expected != given:
            raise ValueError(f"missing keys {sorted(expected - given)}, unexpected keys {sorted(given - expected)}")
    model.eval()
    with open(job["batches"]) as file:
        batches = [as_tensors(batch) for batch in json.load(file)]
    save_file({"logits": logits_of(model, batches)}, job["output"])


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with open(sys.argv[1]) as file:
        jobs = json.load(file)
    for job in jobs:
        errors = []
        try:
            run(job)
        except Exception as error:  # each job is judged by itself
            errors.append(f"{type(error).__name__}: {error}")
        print(json.dumps({"output": job["output"], "errors": errors}), flush=True)


if __name__ == "__main__":
    main()
