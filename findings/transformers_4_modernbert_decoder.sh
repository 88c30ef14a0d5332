#!/usr/bin/env bash
# transformers 4.57.6 with torch 2.13.0.
# Guess: a ModernBertDecoder (Ettin's decoders) turns local layers by `local_rope_theta`, and a config that is saved and read
# again is the same config.
# Seen: all layers turn by `global_rope_theta` (5.24.0 turns local ones by the other); `local_attention` is not saved, so that
# a model of another window than 128 comes back with that of 128, without a warning.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.5 transformers==4.57.6
export HF_HUB_OFFLINE=1
python/bin/python - >seen 2>/dev/null <<'END'
import json

import torch
from transformers import ModernBertDecoderConfig, ModernBertDecoderModel

sizes = dict(vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, pad_token_id=0)
bases = dict(global_rope_theta=500.0, local_rope_theta=50.0)
config = ModernBertDecoderConfig(**sizes, **bases, local_attention=8)
model = ModernBertDecoderModel(config)
print("types:", config.layer_types)
print("turned alike:", torch.equal(model.global_rotary_emb.inv_freq, model.local_rotary_emb.inv_freq))
config.save_pretrained("model")
saved = json.load(open("model/config.json"))
print("saved:", saved.get("local_attention"), saved["sliding_window"])
print("read again:", ModernBertDecoderConfig.from_pretrained("model").sliding_window)
END
cat >expected <<'END'
types: ['full_attention', 'sliding_attention']
turned alike: True
saved: None 4
read again: 64
END
diff expected seen && echo "as found"
