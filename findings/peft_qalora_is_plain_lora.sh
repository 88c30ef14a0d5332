#!/usr/bin/env bash
# PEFT 0.21.0 with transformers 4.57.6 and torch 2.13.0.
# Guess: `LoraConfig(use_qalora=True)` over layers that are not quantized by groups is refused, or trains QA-LoRA all the same.
# Seen: it trains plain LoRA, without a warning, and the saved adapter_config.json says `use_qalora: true`: a program that
# believes the file takes it for another function. The shape of A tells: [r, inputs] instead of [r, inputs / group].
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.5 transformers==4.57.6 peft==0.21.0
export HF_HUB_OFFLINE=1
python/bin/python - >seen 2>warnings <<'END'
import json
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

sizes = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=2, vocab_size=50)
model = LlamaForCausalLM(LlamaConfig(**sizes))
config = LoraConfig(r=4, target_modules=["q_proj"], use_qalora=True, qalora_group_size=32)
get_peft_model(model, config).save_pretrained("adapter")
saved = json.load(open("adapter/adapter_config.json"))
print("use_qalora", saved["use_qalora"], "group", saved["qalora_group_size"])
for name, tensor in load_file("adapter/adapter_model.safetensors").items():
    if "lora_A" in name:
        print("A", list(tensor.shape))
END
grep -i qalora warnings >>seen || true
cat >expected <<'END'
use_qalora True group 32
A [4, 64]
END
diff expected seen && echo "as found"
