#!/usr/bin/env bash
# transformers 5.24.0.
# Guess: a number of config.json may be spelled 2 or 2.0, as JSON has one kind of numbers.
# Seen: `initializer_cutoff_factor: 2` of ModernBERT is refused: the field wants 2.0. A program in JavaScript that reads a
# config and writes it makes a directory that transformers 5 does not load; 4.57.6 takes both.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check transformers==5.24.0
export HF_HUB_OFFLINE=1
python/bin/python - >seen 2>/dev/null <<'END'
from transformers import ModernBertConfig

ModernBertConfig().save_pretrained("model")
text = open("model/config.json").read()
print('"initializer_cutoff_factor": 2.0' in text, ModernBertConfig.from_pretrained("model").initializer_cutoff_factor)
open("model/config.json", "w").write(text.replace('"initializer_cutoff_factor": 2.0', '"initializer_cutoff_factor": 2'))
try:
    ModernBertConfig.from_pretrained("model")
    print("read")
except Exception as error:
    print(type(error).__name__)
END
cat >expected <<'END'
True 2.0
StrictDataclassFieldValidationError
END
diff expected seen && echo "as found"
