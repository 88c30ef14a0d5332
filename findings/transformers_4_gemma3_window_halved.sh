#!/usr/bin/env bash
# transformers 4.57.6.
# Guess: a config that is loaded and saved again is the same config.
# Seen: with `use_bidirectional_attention` (EmbeddingGemma) `sliding_window` is halved on load, and the half is saved: each
# fine-tuning that saves its model halves the window of the next, down to 2, without a warning. (5.24.0 saves the whole one.)
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check transformers==4.57.6
export HF_HUB_OFFLINE=1
python/bin/python - >seen 2>/dev/null <<'END'
import json
from transformers import AutoConfig, Gemma3TextConfig

Gemma3TextConfig(use_bidirectional_attention=True, sliding_window=512).save_pretrained("model")
for _ in range(3):
    print(json.load(open("model/config.json"))["sliding_window"])
    AutoConfig.from_pretrained("model").save_pretrained("model")
END
printf '257\n129\n65\n' >expected
diff expected seen && echo "as found"
