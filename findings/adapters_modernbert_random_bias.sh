#!/usr/bin/env bash
# AdapterHub's adapters 1.3.0 with transformers 4.57.6 and torch 2.13.0.
# Guess: `adapters.init(model)` leaves what a ModernBERT computes as it was until an adapter is active.
# Seen: it wraps `Wqkv`, which has no bias, in a module with one, and leaves that as torch starts it: random. The model
# computes something else, and no file holds that bias, so an adapter that is trained so is of use in no other process.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.5 transformers==4.57.6 adapters==1.3.0
export HF_HUB_OFFLINE=1
python/bin/python - >seen 2>/dev/null <<'END'
import adapters
import torch
from transformers import ModernBertConfig, ModernBertForSequenceClassification

torch.manual_seed(0)
sizes = dict(vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, pad_token_id=0)
model = ModernBertForSequenceClassification(ModernBertConfig(**sizes, reference_compile=False)).eval()
tokens = torch.tensor([[5, 6, 7, 8]])
known = set(dict(model.named_parameters()))
with torch.no_grad():
    before = model(tokens).logits
    adapters.init(model)
    after = model(tokens).logits
print("the same logits:", torch.allclose(before, after, atol=1e-4))
new = {name: tensor for name, tensor in model.named_parameters() if name not in known}
print(sorted(new), "zero:", all(not tensor.any() for tensor in new.values()))
END
cat >expected <<'END'
the same logits: False
['model.layers.0.attn.Wqkv.bias', 'model.layers.1.attn.Wqkv.bias'] zero: False
END
diff expected seen && echo "as found"
