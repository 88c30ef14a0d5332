#!/usr/bin/env bash
# transformers 4.57.6 with torch 2.13.0.
# Guess: a cache that holds a first part of a text goes on with several tokens at once (a second turn of a chat) as it does
# with one after the other.
# Seen: LFM2 takes all of them for the last token of its convolutions: other logits, without a warning. transformers 5 gives
# the same either way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.5 transformers==4.57.6
export HF_HUB_OFFLINE=1
python/bin/python - >seen 2>warnings <<'END'
import torch
from transformers import Lfm2Config, Lfm2ForCausalLM

torch.manual_seed(0)
config = Lfm2Config(
    vocab_size=32, hidden_size=16, intermediate_size=24, block_multiple_of=8, num_hidden_layers=2,
    num_attention_heads=2, num_key_value_heads=1, layer_types=["conv", "full_attention"], initializer_range=0.4,
)
model = Lfm2ForCausalLM(config).eval()
tokens = torch.arange(3, 13)[None]
with torch.no_grad():
    whole = model(tokens).logits
    cache = model(tokens[:, :6], use_cache=True).past_key_values
    together = model(tokens[:, 6:], past_key_values=cache).logits
    cache = model(tokens[:, :6], use_cache=True).past_key_values
    apart = torch.cat([model(tokens[:, i : i + 1], past_key_values=cache).logits for i in range(6, 10)], 1)
print("one after the other", torch.allclose(apart, whole[:, 6:], atol=1e-5))
print("at once", torch.allclose(together, whole[:, 6:], atol=1e-2))
END
grep -i "conv\|cache" warnings >>seen || true
cat >expected <<'END'
one after the other True
at once False
END
diff expected seen && echo "as found"
