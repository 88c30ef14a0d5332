"""What transformers and PEFT make of the SMS data with MiniLM and LoRA, on the splits that encoder.ts wrote.

    python encoder.py settings.json

settings.json: { model, threads, seeds: [{ seed, train, test }], epochs, batchSize, learningRate, warmup, r, loraAlpha,
maxLength, targets }, rows as { text, label }. One line of JSON a seed: { accuracy, macroF1, seconds }.
"""

import json
import math
import os
import random
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from peft import LoraConfig, get_peft_model


def by_length(rows, size):
    rows = sorted(rows, key=lambda row: len(row["text"]))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def encoded(tokenizer, parts, length):
    for part in parts:
        texts = [row["text"] for row in part]
        batch = tokenizer(texts, truncation=True, max_length=length, padding=True, return_tensors="pt")
        yield batch, torch.tensor([row["label"] for row in part])


def run(settings, seed, train, test):
    random.seed(seed)
    torch.manual_seed(seed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(settings["model"])
    model = transformers.AutoModelForSequenceClassification.from_pretrained(settings["model"], num_labels=2)
    lora = dict(r=settings["r"], lora_alpha=settings["loraAlpha"], target_modules=settings["targets"])
    model = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", **lora))
    size, length = settings["batchSize"], settings["maxLength"]
    steps = settings["epochs"] * -(-len(train) // size)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings["learningRate"], weight_decay=0.0)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, math.ceil(settings["warmup"] * steps), steps)
    began = time.time()
    model.train()
    for _ in range(settings["epochs"]):
        random.shuffle(train)
        # As in Espalier: the rows of eight batches are sorted by length.
        windows = [by_length(train[start : start + 8 * size], size) for start in range(0, len(train), 8 * size)]
        for window in windows:
            random.shuffle(window)
        for batch, labels in encoded(tokenizer, sum(windows, []), length):
            optimizer.zero_grad()
            model(**batch, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
    seconds = time.time() - began
    model.eval()
    confusion = torch.zeros(2, 2)
    with torch.no_grad():
        for batch, labels in encoded(tokenizer, by_length(test, 32), length):
            for expected, found in zip(labels, model(**batch).logits.argmax(-1)):
                confusion[expected, found] += 1
    right = confusion.diag()
    f1 = 2 * right / (confusion.sum(0) + confusion.sum(1)).clamp(min=1)
    return dict(accuracy=float(right.sum() / confusion.sum()), macroF1=float(f1.mean()), seconds=seconds)


def main():
    transformers.logging.set_verbosity_error()
    with open(sys.argv[1]) as file:
        settings = json.load(file)
    torch.set_num_threads(settings["threads"])
    for one in settings["seeds"]:
        print(json.dumps(run(settings, one["seed"], one["train"], one["test"])), flush=True)


if __name__ == "__main__":
    main()
