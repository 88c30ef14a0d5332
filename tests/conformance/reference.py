"""What PyTorch with Hugging Face transformers and PEFT does in each conformance case.

    python reference.py cases.json output_directory [--float32]

Writes one directory a case:
    case.json                     the case as given
    model/                        the base model, as `save_pretrained` writes it (with random weights)
    batches.json                  micro-batches of one optimizer step: inputIds, attentionMask, labels
    adapter/                      the adapter before training (LoRA cases)
    final/                        the adapter, or for full fine-tuning the model, after training
    losses.json                   loss of each step, before its update
    initial.safetensors           trained tensors before the first step
    first_gradients.safetensors   their gradients in the first step, accumulated, before clipping
    trained.safetensors           trained tensors after the last step
    logits.safetensors            "before" and "after" training, and of the model without adapter ("base")

Tensor names are those of the saved adapter, or of the model's parameters in full fine-tuning. Logits are given at unpadded
positions only, rows one after the other: [tokens, vocabulary], or [rows, labels] for classification.
Weights start as float32 numbers and are trained in double precision, so that none of the rounding in a comparison is the
reference's own. With --float32 all is computed in float32: how near torch itself comes.
"""

import contextlib
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import torch
import transformers
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file

VOCABULARY = 97
LABELS = 3
PADDING = 0


def build_model(spec):
    """A random small model with grouped-query heads."""
    torch.manual_seed(spec.get("seed", 0))
    options = dict(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=56,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.05,
        tie_word_embeddings=spec.get("tied", False),
        pad_token_id=PADDING,
        bos_token_id=1,
        eos_token_id=2,
        attn_implementation="eager",
    )
    if spec.get("rope") == "llama3":
        # A short original context, so that all three ranges of frequencies occur.
        options["rope_scaling"] = dict(
            rope_type="llama3",
            factor=8.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=16,
        )
    if spec["head"] == "classification":
        options["num_labels"] = LABELS
    family = {"llama": "Llama", "qwen2": "Qwen2"}[spec["family"]]
    config = getattr(transformers, family + "Config")(**options)
    head = {"causal": "ForCausalLM", "classification": "ForSequenceClassification"}[spec["head"]]
    model = getattr(transformers, family + head)(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # norms of one and biases of zero would hide mistakes
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def save_model(model, spec, directory):
    """Writes the model; returns what a reader of the files has, in float32."""
    stored = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    model.to(stored[spec.get("dtype", "float32")])
    model.save_pretrained(directory, max_shard_size="60KB" if spec.get("sharded") else "5GB")
    return model.float()


def build_batches(case):
    """Micro-batches of right-padded rows."""
    generator = torch.Generator().manual_seed(1)
    texts = [torch.randint(3, VOCABULARY, (n,), generator=generator).tolist() for lengths in case["rows"] for n in lengths]
    classes = [(row + row // LABELS) % LABELS for row in range(len(texts))]
    if case["labels"] == "class":
        # The last text is the first again under another label, which keeps the loss away from zero: there a relative
        # error says nothing.
        texts[-1] = texts[0]
        assert classes[-1] != classes[0]
    batches, row = [], 0
    for lengths in case["rows"]:
        width = max(lengths)
        batch = {"inputIds": [], "attentionMask": [], "labels": []}
        for length in lengths:
            ids, padding = texts[row], width - length
            assert len(ids) == length
            batch["inputIds"].append(ids + [PADDING] * padding)
            batch["attentionMask"].append([1] * length + [0] * padding)
            if case["labels"] == "class":
                batch["labels"].append(classes[row])
            else:
                prompt = length // 3 if case["labels"] == "completion" else 0
                batch["labels"].append([-100] * prompt + ids[prompt:] + [-100] * padding)
            row += 1
        batches.append(batch)
    return batches


def as_tensors(batch):
    return dict(
        input_ids=torch.tensor(batch["inputIds"]),
        attention_mask=torch.tensor(batch["attentionMask"]),
        labels=torch.tensor(batch["labels"]),
    )


def weight(labels):
    """How many terms the mean loss has: predicted tokens, or rows."""
    return int((labels[:, 1:] != -100).sum()) if labels.ndim == 2 else labels.shape[0]


def step_loss(model, batches):
    """The mean over all terms of all micro-batches, with its gradients accumulated."""
    total = sum(weight(batch["labels"]) for batch in batches)
    loss = 0.0
    for batch in batches:
        part = model(**batch).loss * (weight(batch["labels"]) / total)
        part.backward()
        loss += part.item()
    return loss


@torch.no_grad()
def logits_of(model, batches):
    rows = []
    for batch in batches:
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        rows.append(logits[batch["attention_mask"] == 1] if logits.ndim == 3 else logits)
    return torch.cat(rows).contiguous()


def named(model, lora, tensors):
    """Tensors by parameter name, renamed as they are saved."""
    tensors = get_peft_model_state_dict(model, state_dict=tensors) if lora else tensors
    return {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}


@contextlib.contextmanager
def precision(double):
    """In double precision: transformers' own casts to float32 (norms, rotary embedding, softmax, loss) must not round."""
    if not double:
        yield
        return
    single, cast = torch.float32, torch.Tensor.float
    torch.float32, torch.Tensor.float = torch.float64, torch.Tensor.double
    try:
        yield
    finally:
        torch.float32, torch.Tensor.float = single, cast


def run(case, directory, double):
    os.makedirs(directory)
    path = lambda name: os.path.join(directory, name)
    with open(path("case.json"), "w") as file:
        json.dump(case, file, indent=2)
    model = save_model(build_model(case["model"]), case["model"], path("model"))
    model.eval()  # all dropouts are zero
    batches = build_batches(case)
    with open(path("batches.json"), "w") as file:
        json.dump(batches, file)
    batches = [as_tensors(batch) for batch in batches]
    if double:
        model.double()
    with precision(double):
        logits = {"base": logits_of(model, batches)}
    lora = case.get("lora")
    if lora is not None:
        model.float()
        model.name_or_path = path("model")
        torch.manual_seed(2)
        task = {"causal": "CAUSAL_LM", "classification": "SEQ_CLS"}[case["model"]["head"]]
        model = get_peft_model(model, LoraConfig(task_type=task, **lora))
        model.save_pretrained(path("adapter"))
        model.eval()
        if double:
            model.double()
    if case["kind"] == "train":
        with precision(double):
            logits["before"] = logits_of(model, batches)
            train(model, case, batches, path)
            logits["after"] = logits_of(model, batches)
        model.float().save_pretrained(path("final"))
    save_file(logits, path("logits.safetensors"))


def train(model, case, batches, path):
    options, lora = case["training"], case.get("lora") is not None
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    snapshot = lambda: named(model, lora, dict(parameters))
    # As transformers' Trainer does: norms and biases do not decay.
    groups = [
        dict(params=[p for p in parameters.values() if p.ndim > 1], weight_decay=options["weightDecay"]),
        dict(params=[p for p in parameters.values() if p.ndim == 1], weight_decay=0.0),
    ]
    optimizer = torch.optim.AdamW(groups, lr=options["learningRate"], betas=(0.9, 0.999), eps=1e-8)
    save_file(snapshot(), path("initial.safetensors"))
    losses = []
    for step in range(options["steps"]):
        optimizer.zero_grad()
        losses.append(step_loss(model, batches))
        if step == 0:
            gradients = {name: p.grad for name, p in parameters.items()}
            save_file(named(model, lora, gradients), path("first_gradients.safetensors"))
        if options.get("maxGradNorm") is not None:
            torch.nn.utils.clip_grad_norm_(parameters.values(), options["maxGradNorm"])
        optimizer.step()
    save_file(snapshot(), path("trained.safetensors"))
    with open(path("losses.json"), "w") as file:
        json.dump(losses, file)


def main():
    cases_path, output = sys.argv[1:3]
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    with open(cases_path) as file:
        cases = json.load(file)
    for case in cases:
        run(case, os.path.join(output, case["name"]), "--float32" not in sys.argv[3:])
        print(case["name"], flush=True)


if __name__ == "__main__":
    main()
