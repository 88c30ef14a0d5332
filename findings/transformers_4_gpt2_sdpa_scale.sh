#!/usr/bin/env bash
# transformers 4.57.6 with torch 2.13.0.
# Guess: a GPT-2 whose config says `scale_attn_by_inverse_layer_idx` (Mistral's GPT-2 replications, Stanford CRFM) computes the
# same with every implementation of attention.
# Seen: the default one, `sdpa`, passes over that field and `scale_attn_weights`, without a warning: a model trained with them
# gives other logits than with `eager`, which obeys. transformers 5 obeys with both.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.5 transformers==4.57.6
export HF_HUB_OFFLINE=1
python/bin/python - >seen 2>warnings <<'END'
import torch
from transformers import GPT2Config, GPT2LMHeadModel

torch.manual_seed(0)
sizes = dict(vocab_size=32, n_embd=16, n_layer=2, n_head=2, n_positions=16, initializer_range=0.4)
tokens = torch.arange(8)[None]
for field, value in dict(scale_attn_by_inverse_layer_idx=True, scale_attn_weights=False).items():
    GPT2LMHeadModel(GPT2Config(**sizes, **{field: value})).eval().save_pretrained("model")
    default = GPT2LMHeadModel.from_pretrained("model")
    eager = GPT2LMHeadModel.from_pretrained("model", attn_implementation="eager")
    plain = GPT2LMHeadModel.from_pretrained("model", **{field: not value})
    with torch.no_grad():
        logits = [model.eval()(tokens).logits for model in (default, eager, plain)]
    print(field, default.config._attn_implementation)
    print("like eager", torch.allclose(logits[0], logits[1], atol=1e-3))
    print("like a model without the field", torch.allclose(logits[0], logits[2], atol=1e-5))
END
grep -i scale_attn warnings >>seen || true
cat >expected <<'END'
scale_attn_by_inverse_layer_idx sdpa
like eager False
like a model without the field True
scale_attn_weights sdpa
like eager False
like a model without the field True
END
diff expected seen && echo "as found"
