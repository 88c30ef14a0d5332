#!/usr/bin/env bash
# transformers 5.24.0.
# Guess: a config.json with `30` where transformers wrote `30.0` is the same config, as in version 4: JSON knows one kind of
# number, and JavaScript writes no other.
# Seen: fields that are declared as float refuse a whole number: the soft caps of Gemma, `initializer_cutoff_factor` of
# ModernBERT, `initializer_factor` of T5.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check transformers==5.24.0
export HF_HUB_OFFLINE=1
python/bin/python - >seen 2>/dev/null <<'END'
import json
import os
from transformers import AutoConfig

for kind, field in [
    ("gemma2", "final_logit_softcapping"), ("modernbert", "initializer_cutoff_factor"), ("t5", "initializer_factor"),
]:
    for value in (30.0, 30):
        os.makedirs("model", exist_ok=True)
        json.dump({"model_type": kind, field: value}, open("model/config.json", "w"))
        try:
            AutoConfig.from_pretrained("model")
            print(field, value, "is read")
        except Exception:
            print(field, value, "is refused")
END
cat >expected <<'END'
final_logit_softcapping 30.0 is read
final_logit_softcapping 30 is refused
initializer_cutoff_factor 30.0 is read
initializer_cutoff_factor 30 is refused
initializer_factor 30.0 is read
initializer_factor 30 is refused
END
diff expected seen && echo "as found"
