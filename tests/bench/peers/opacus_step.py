"""A private LoRA step of Opacus on transformers and PEFT, two threads, with the protocol of serve.ts.

    python opacus_step.py directory hooks|ghost    serves steps on what peft_step.py made

`hooks` keeps the gradients of all examples; `ghost` takes norms without them, and a second backward pass. Clipping to 1 over
all parameters, noise of deviation 1; AdamW lr 1e-3 without decay.
"""

import json
import os
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from opacus import GradSampleModule
from opacus.grad_sample import GradSampleModuleFastGradientClipping
from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping
from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping
from peft import PeftModel


def prepare(directory, mode):
    with open(os.path.join(directory, "batches.json")) as file:
        batch = json.load(file)
    classifies = batch["task"] == "SEQ_CLS"
    kind = transformers.AutoModelForSequenceClassification if classifies else transformers.AutoModelForCausalLM
    model = kind.from_pretrained(os.path.join(directory, "model"), dtype=torch.float32)
    model = PeftModel.from_pretrained(model, os.path.join(directory, "adapter"), is_trainable=True).train()
    tokens, labels = torch.tensor(batch["inputIds"]), torch.tensor(batch["labels"])
    ghost = mode == "ghost"
    model = (
        GradSampleModuleFastGradientClipping(model, strict=False, max_grad_norm=1.0)
        if ghost
        else GradSampleModule(model, strict=False)
    )
    trained = [p for p in model.parameters() if p.requires_grad]
    adam = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0)
    common = dict(noise_multiplier=1.0, max_grad_norm=1.0, expected_batch_size=len(tokens), loss_reduction="mean")
    optimizer = (DPOptimizerFastGradientClipping if ghost else DPOptimizer)(adam, **common)
    plain = torch.nn.CrossEntropyLoss()
    criterion = DPLossFastGradientClipping(model, optimizer, plain) if ghost else plain

    def loss():
        if classifies:
            return criterion(model(input_ids=tokens).logits, labels)
        logits = model(input_ids=tokens, use_cache=False).logits[:, :-1]
        targets = labels[:, 1:]
        flat = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
        return criterion(*flat, shape=targets.shape) if ghost else criterion(*flat)

    return optimizer, loss


def serve(directory, mode):
    torch.set_num_threads(2)
    optimizer, loss_of = prepare(directory, mode)
    for line in sys.stdin:
        milliseconds, loss = [], None
        for _ in range(int(line.split()[1])):
            start = time.perf_counter()
            optimizer.zero_grad()
            loss = loss_of()
            loss.backward()
            optimizer.step()
            milliseconds.append(1000 * (time.perf_counter() - start))
        print(json.dumps({"milliseconds": milliseconds, "loss": float(loss.item())}), flush=True)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    serve(*sys.argv[1:])
