"""What TRL's SFTTrainer makes of the chats that chat.ts wrote, from the same weights and the same adapter.

    python chat.py settings.json

settings.json: { directory, base, adapter, template, train, test, steps, batchSize, accumulation, maxLength, learningRate,
warmupSteps, weightDecay, threads, seed }, rows as { messages }; the template is the model's with marks around answers. Prints JSON: { before, after, steps }.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import datasets
import peft
import torch
import transformers
import trl

def tokenizer_of(settings):
    tokenizer = transformers.AutoTokenizer.from_pretrained(settings["base"])
    with open(settings["template"]) as file:
        marked = file.read()
    for row in settings["train"] + settings["test"]:
        texts = [
            tokenizer.apply_chat_template(row["messages"], tokenize=False, **template)
            for template in ({}, {"chat_template": marked})
        ]
        if texts[0] != texts[1]:
            raise ValueError(f"the template for training renders another text than the model's: {texts}")
    tokenizer.chat_template = marked
    return tokenizer


def held_out_loss(trainer):
    """Mean over all tokens of answers; evaluate() takes the mean of batches."""
    total = count = 0
    trainer.model.eval()
    for batch in trainer.get_eval_dataloader():
        terms = int((batch["labels"][:, 1:] != -100).sum())
        with torch.no_grad():
            total += float(trainer.compute_loss(trainer.model, batch)) * terms
        count += terms
    return total / count


def main():
    transformers.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    with open(sys.argv[1]) as file:
        settings = json.load(file)
    torch.set_num_threads(settings["threads"])
    base = transformers.AutoModelForCausalLM.from_pretrained(settings["base"], dtype=torch.float32)
    model = peft.PeftModel.from_pretrained(base, settings["adapter"], is_trainable=True)
    config = trl.SFTConfig(
        output_dir=f"{settings['directory']}/trl",
        max_steps=settings["steps"],
        per_device_train_batch_size=settings["batchSize"],
        per_device_eval_batch_size=4,
        gradient_accumulation_steps=settings["accumulation"],
        max_length=settings["maxLength"],
        learning_rate=settings["learningRate"],
        warmup_steps=settings["warmupSteps"],
        weight_decay=settings["weightDecay"],
        assistant_only_loss=True,
        train_sampling_strategy="sequential",
        seed=settings["seed"],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        logging_steps=1,
        disable_tqdm=True,
        report_to="none",
        save_strategy="no",
    )
    trainer = trl.SFTTrainer(
        model=model,
        args=config,
        train_dataset=datasets.Dataset.from_list(settings["train"]),
        eval_dataset=datasets.Dataset.from_list(settings["test"]),
        processing_class=tokenizer_of(settings),
    )
    trainer.remove_callback(transformers.PrinterCallback)
    before = held_out_loss(trainer)
    trainer.train()
    steps = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    print(json.dumps({"before": before, "after": held_out_loss(trainer), "steps": steps}))


if __name__ == "__main__":
    main()
