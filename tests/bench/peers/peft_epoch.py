"""An epoch of LoRA by PEFT and transformers' Trainer, two threads; see ../epoch.ts.

    python peft_epoch.py order.json dynamic|group_by_length

Batches are padded to their longest row either way; with group_by_length rows of like length come together.
"""

import json
import os
import sys
import tempfile
import time

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from peft import LoraConfig, get_peft_model


class Rows(torch.utils.data.Dataset):
    def __init__(self, tokenizer, rows, length):
        texts = [row["text"] for row in rows]
        encoded = tokenizer(texts, truncation=True, max_length=length)["input_ids"]
        self.rows = [dict(input_ids=ids, labels=row["label"]) for ids, row in zip(encoded, rows)]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


def main():
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(2)
    with open(sys.argv[1]) as file:
        order = json.load(file)
    transformers.set_seed(order["seed"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(order["model"])
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        order["model"], dtype=torch.float32, num_labels=len(order["labels"])
    )
    lora = LoraConfig(
        task_type="SEQ_CLS", r=order["r"], lora_alpha=order["loraAlpha"], target_modules=order["targetModules"]
    )
    train, test = (Rows(tokenizer, order[part], order["maxLength"]) for part in ("train", "test"))
    with tempfile.TemporaryDirectory() as directory:
        trainer = transformers.Trainer(
            model=get_peft_model(model, lora),
            args=transformers.TrainingArguments(
                output_dir=directory,
                num_train_epochs=1,
                per_device_train_batch_size=order["batchSize"],
                per_device_eval_batch_size=32,
                learning_rate=order["learningRate"],
                warmup_ratio=order["warmupRatio"],
                lr_scheduler_type="linear",
                weight_decay=0.0,
                max_grad_norm=1.0,
                group_by_length=sys.argv[2] == "group_by_length",
                seed=order["seed"],
                use_cpu=True,
                dataloader_pin_memory=False,
                report_to=[],
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
            ),
            train_dataset=train,
            processing_class=tokenizer,
            data_collator=transformers.DataCollatorWithPadding(tokenizer),
        )
        trainer.remove_callback(transformers.PrinterCallback)
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
        # With group_by_length it predicts in an order of its own.
        judged = trainer.predict(test)
        right = int((judged.predictions.argmax(-1) == judged.label_ids).sum())
    print(json.dumps(dict(seconds=seconds, steps=trainer.state.global_step, accuracy=right / len(test))), flush=True)


if __name__ == "__main__":
    main()
