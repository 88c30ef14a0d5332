#!/usr/bin/env bash
# transformers 4.57.6 with torch 2.13.0.
# Guess: Gemma 2 is computed with the soft cap of its attention (`attn_logit_softcapping`), or not at all.
# Seen: by default attention is `sdpa`, which takes no cap and leaves it out, without a warning: logits are those of a config
# without one. With attn_implementation="eager" they are others. (transformers 5.24.0 takes the cap by default.)
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.5 transformers==4.57.6
export HF_HUB_OFFLINE=1
python/bin/python - >seen 2>warnings <<'END'
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM

sizes = dict(
    vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
    head_dim=16, query_pre_attn_scalar=16, initializer_range=0.5,
)
tokens = torch.arange(1, 20)[None]


def logits(cap, **how):
    torch.manual_seed(0)
    return Gemma2ForCausalLM._from_config(Gemma2Config(**sizes, attn_logit_softcapping=cap), **how).eval()(tokens).logits


same = lambda a, b: "the same" if torch.allclose(a, b, atol=1e-4) else "others"
with torch.no_grad():
    print("default, a cap of 1 and none:", same(logits(1.0), logits(None)))
    eager = dict(attn_implementation="eager")
    print("eager, a cap of 1 and none:", same(logits(1.0, **eager), logits(None, **eager)))
END
grep -i cap warnings >>seen || true
cat >expected <<'END'
default, a cap of 1 and none: the same
eager, a cap of 1 and none: others
END
diff expected seen && echo "as found"
