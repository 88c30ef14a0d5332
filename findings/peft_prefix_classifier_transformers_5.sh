#!/usr/bin/env bash
# PEFT 0.21.2 with transformers 5.24.0, each the newest of its kind.
# Guess: prefix tuning of a sequence classifier works as it did with transformers 4.
# Seen: the first forward pass raises a ValueError, "Model does not support past key values": PEFT looks for the
# argument `past_key_values`, which version 5's classifiers no longer spell so.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
python/bin/pip install --quiet --disable-pip-version-check transformers==5.24.0 peft==0.21.2
export HF_HUB_OFFLINE=1
cat >run.py <<'END'
import torch
from peft import PrefixTuningConfig, get_peft_model
from transformers import LlamaConfig, LlamaForSequenceClassification
config = LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, pad_token_id=0)
model = get_peft_model(LlamaForSequenceClassification(config), PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=2))
try:
    print(model(input_ids=torch.tensor([[1, 2, 3]]), attention_mask=torch.ones(1, 3)).logits.shape)
except ValueError as error:
    print("ValueError", str(error)[:41])
END
echo "ValueError Model does not support past key values wh" >expected
python/bin/python run.py 2>/dev/null >seen
diff expected seen && echo "as found"
