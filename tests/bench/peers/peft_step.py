"""A LoRA step of transformers and PEFT, two threads, with the protocol of small_step.ts.

    python peft_step.py --make directory    writes model/, adapter/ and batches.json (as tests/conformance/reference.py does)
    python peft_step.py directory           serves steps on them

Rank 8 on q_proj and v_proj, AdamW lr 1e-3 without decay, causal LM on 8 rows of 128 tokens, mean over all predicted tokens.
"""

import json
import os
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model


def make(directory):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=2048,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=256,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = transformers.LlamaForCausalLM(config)
    model.save_pretrained(os.path.join(directory, "model"))
    model.name_or_path = os.path.join(directory, "model")
    lora = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"])
    get_peft_model(model, lora).save_pretrained(os.path.join(directory, "adapter"))
    ids = torch.randint(3, config.vocab_size, (8, 128)).tolist()
    with open(os.path.join(directory, "batches.json"), "w") as file:
        json.dump([{"inputIds": ids, "attentionMask": [[1] * 128] * 8, "labels": ids}], file)


def serve(directory):
    torch.set_num_threads(2)
    model = transformers.AutoModelForCausalLM.from_pretrained(os.path.join(directory, "model"), dtype=torch.float32)
    model = PeftModel.from_pretrained(model, os.path.join(directory, "adapter"), is_trainable=True)
    model.train()
    with open(os.path.join(directory, "batches.json")) as file:
        [batch] = json.load(file)
    # No attention mask: all rows are full, and without one PyTorch takes its fastest attention.
    inputs = dict(input_ids=torch.tensor(batch["inputIds"]), labels=torch.tensor(batch["labels"]), use_cache=False)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3, weight_decay=0)
    for line in sys.stdin:
        milliseconds, loss = [], None
        for _ in range(int(line.split()[1])):
            start = time.perf_counter()
            optimizer.zero_grad()
            loss = model(**inputs).loss
            loss.backward()
            optimizer.step()
            milliseconds.append(1000 * (time.perf_counter() - start))
        print(json.dumps({"milliseconds": milliseconds, "loss": loss.item()}), flush=True)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    make(sys.argv[2]) if sys.argv[1] == "--make" else serve(sys.argv[1])
