#!/usr/bin/env bash
# PEFT 0.21.2 with transformers 5.24.0.
# Guess: `modules_to_save=["norm"]` trains and saves the module `norm`, as a name in target_modules means a whole last
# part.
# Seen: here every module whose path ends in these letters is taken: the last norm, and each layer's `input_layernorm`
# and `post_attention_layernorm` too.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
python/bin/pip install --quiet --disable-pip-version-check transformers==5.24.0 peft==0.21.2
export HF_HUB_OFFLINE=1
cat >run.py <<'END'
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM
config = LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2)
model = get_peft_model(LlamaForCausalLM(config), LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["norm"]))
for name, parameter in model.named_parameters():
    if parameter.requires_grad and ".modules_to_save." in name: print(name.removeprefix("base_model.model."))
END
cat >expected <<'END'
model.layers.0.input_layernorm.modules_to_save.default.weight
model.layers.0.post_attention_layernorm.modules_to_save.default.weight
model.norm.modules_to_save.default.weight
END
python/bin/python run.py 2>/dev/null >seen
diff expected seen && echo "as found"
