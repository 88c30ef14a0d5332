"""Texts through MiniLM with LoRA adapters by PEFT, two threads; see ../adapters.ts.

    python peft_adapters.py model adapters.json one|set_adapter|adapter_names|load

A step of `one` is all texts with the first adapter in batches of 32; of `set_adapter`, the next texts, each after a switch
to the next adapter; of `adapter_names`, the same in batches whose rows name theirs; of `load`, an adapter from its directory.
"""

import json
import os
import sys
import tempfile
import time

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy
import torch
import transformers
from peft import LoraConfig, get_peft_model

LAYERS, WIDTH, CLASSES, BATCH = 6, 384, 2, 32


def waves(shape, size, adapter, tensor):
    places = numpy.arange(int(numpy.prod(shape)), dtype=numpy.float64)
    return torch.from_numpy((size * numpy.sin(0.7 * places + 1.3 * adapter + 2.9 * tensor)).astype(numpy.float32)).reshape(shape)


def fill(model, adapter):
    """Gives an adapter the numbers that ../adapters.ts gives it."""
    name, count = str(adapter), 0
    layers = model.base_model.model.bert.encoder.layer
    with torch.no_grad():
        for layer in layers:
            for part in ("query", "value"):
                module = getattr(layer.attention.self, part)
                rank = module.r[name]
                module.lora_A[name].weight.copy_(waves((rank, WIDTH), 0.05, adapter, count))
                module.lora_B[name].weight.copy_(waves((WIDTH, rank), 0.05, adapter, count + 1))
                count += 2
        head = model.base_model.model.classifier.modules_to_save[name]
        head.weight.copy_(waves((CLASSES, WIDTH), 0.1, adapter, count))
        head.bias.copy_(waves((CLASSES,), 0.1, adapter, count + 1))


def main():
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(2)
    with open(sys.argv[2]) as file:
        order = json.load(file)
    how, texts, adapters = sys.argv[3], order["texts"], order["adapters"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
    base = transformers.AutoModelForSequenceClassification.from_pretrained(
        sys.argv[1], dtype=torch.float32, num_labels=CLASSES
    )
    config = LoraConfig(task_type="SEQ_CLS", r=order["rank"], lora_alpha=16, target_modules=["query", "value"])
    model = get_peft_model(base, config, adapter_name="0").eval()
    for i in range(1, adapters if how in ("set_adapter", "adapter_names") else 1):
        model.add_adapter(str(i), config)
    for i in range(adapters if how in ("set_adapter", "adapter_names") else 1):
        fill(model, i)
    count = 0

    def batches(size):
        ordered = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(texts), size):
            rows = ordered[start : start + size]
            yield rows, tokenizer([texts[i] for i in rows], padding=True, return_tensors="pt")

    def total(size, before):
        found = 0.0
        with torch.no_grad():
            for rows, batch in batches(size):
                found += torch.softmax(model(**batch, **before(rows)).logits, -1)[:, 1].sum().item()
        return found

    def step():
        nonlocal count
        first, count = count, count + len(texts)
        name = lambda row: str((first + row) % adapters)
        if how == "one":
            return total(BATCH, lambda rows: {})
        if how == "adapter_names":
            return total(BATCH, lambda rows: dict(adapter_names=[name(row) for row in rows]))
        return total(1, lambda rows: model.set_adapter(name(rows[0])) or {})

    with tempfile.TemporaryDirectory() as directory:
        if how == "load":
            model.save_pretrained(directory, selected_adapters=["0"])
            saved = os.path.join(directory, "0")

            def step():
                nonlocal count
                count += 1
                model.load_adapter(saved, f"more-{count}")
                return 0.0

        for line in sys.stdin:
            milliseconds, loss = [], 0.0
            for _ in range(int(line.split()[1])):
                start = time.perf_counter()
                loss = step()
                milliseconds.append(1000 * (time.perf_counter() - start))
            print(json.dumps(dict(milliseconds=milliseconds, loss=loss)), flush=True)


if __name__ == "__main__":
    main()
