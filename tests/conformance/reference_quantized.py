"""Bases in few bits, and QA-LoRA by its formulas: PEFT's own class needs GPTQ layers, and cannot merge them.

A base is what bitsandbytes or the gguf package give back of the weights that they quantized. Saved adapters are read over
bitsandbytes' own layers where it quantizes; training goes over the numbers that these hold, in double precision.
"""

import json
import os

import bitsandbytes
import gguf
import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file

PREFIX = "base_model.model."


def linears(model):
    """Every Linear but the output head."""
    return [(name, m) for name, m in model.named_modules() if isinstance(m, torch.nn.Linear) and name != "lm_head"]


def rounded(weight, how):
    """What is left of a weight."""
    if how == "q4_1":
        kind = gguf.GGMLQuantizationType.Q4_1
        blocks = gguf.quants.quantize(weight.numpy(), kind)
        return torch.from_numpy(gguf.quants.dequantize(blocks, kind))
    options = dict(blocksize=64, compress_statistics=how == "nf4", quant_type="nf4")
    codes, state = bitsandbytes.functional.quantize_4bit(weight.contiguous(), **options)
    return bitsandbytes.functional.dequantize_4bit(codes, state)


@torch.no_grad()
def quantize(model, how):
    """Puts what is left of its weights into a model in float32."""
    for _, module in linears(model):
        module.weight.copy_(rounded(module.weight, how))
    return model


def in_layers(model, how):
    """The same with bitsandbytes' own layers, where it quantizes."""
    if how != "nf4":
        return quantize(model, how)
    for name, module in linears(model):
        options = dict(compute_dtype=torch.float32, compress_statistics=True, quant_type="nf4")
        layer = bitsandbytes.nn.Linear4bit(module.in_features, module.out_features, bias=False, **options)
        # Else it computes in bfloat16, once it does not train, on a processor that has instructions for it.
        layer.support_avx512bf16_for_cpu = False
        options = dict(requires_grad=False, compress_statistics=True, quant_type="nf4")
        layer.weight = bitsandbytes.nn.Params4bit(module.weight.data.clone(), **options)
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, layer.to("cpu"))
    model.is_loaded_in_4bit = True
    return model


class Groups(torch.nn.Module):
    """y + s B A pool(x): algorithm 1 of Xu et al. 2024, and the two other conventions that there are."""

    def __init__(self, base, options):
        super().__init__()
        self.base_layer = base
        self.size, self.pooling = options["qalora_group_size"], options["qalora_pooling"]
        r = options["r"]
        self.scale = options["lora_alpha"] / (r**0.5 if options.get("use_rslora") else r)
        self.lora_A = torch.nn.Linear(base.in_features // self.size, r, bias=False)
        self.lora_B = torch.nn.Linear(r, base.out_features, bias=False)

    def forward(self, x):
        groups = x.unflatten(-1, (-1, self.size))
        pooled = groups.sum(-1) if self.pooling == "sum" else groups.mean(-1)
        if self.pooling == "peft":
            pooled = pooled * pooled.shape[-1]
        return self.base_layer(x) + self.scale * self.lora_B(self.lora_A(pooled))


def add(model, options):
    """The model with an adapter whose B is not zero; all else is frozen."""
    model.requires_grad_(False)
    for name, module in linears(model):
        if name.rpartition(".")[2] not in options["target_modules"]:
            continue
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, Groups(module, options))
    return model


def named(tensors):
    """Tensors by the names that PEFT saves."""
    return {PREFIX + name: tensor for name, tensor in tensors.items()}


def save(model, options, directory):
    """In PEFT's files, with our field."""
    own = {name: options[name] for name in ("r", "lora_alpha", "target_modules", "qalora_group_size")}
    LoraConfig(task_type="CAUSAL_LM", use_qalora=True, use_rslora=options.get("use_rslora", False), **own).save_pretrained(
        directory
    )
    path = os.path.join(directory, "adapter_config.json")
    with open(path) as file:
        config = json.load(file)
    with open(path, "w") as file:
        json.dump(config | dict(qalora_pooling=options["qalora_pooling"]), file)
    tensors = {name: p.detach().float().contiguous() for name, p in model.named_parameters() if p.requires_grad}
    save_file(named(tensors), os.path.join(directory, "adapter_model.safetensors"), metadata={"format": "pt"})


def load(model, directory):
    """A saved adapter over a model."""
    with open(os.path.join(directory, "adapter_config.json")) as file:
        config = json.load(file)
    add(model, config)
    own = {PREFIX + name: p for name, p in model.named_parameters() if p.requires_grad}
    saved = load_file(os.path.join(directory, "adapter_model.safetensors"))
    if set(own) != set(saved) or not config["use_qalora"]:
        raise ValueError(f"missing keys {sorted(set(own) - set(saved))}, unexpected keys {sorted(set(saved) - set(own))}")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(saved[name])
    return model
