#!/usr/bin/env bash
# bitsandbytes 0.50.2 with torch 2.13.0, on a CPU.
# Guess: a 4-bit layer whose `compute_dtype` is float64 computes in float64, or refuses, as `dequantize_4bit` does.
# Seen: it is made and answers without an error or a warning, and the output is another altogether, and another in each run
# (also NaN). In float32 it is right.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.5
python/bin/pip install --quiet --disable-pip-version-check --no-deps bitsandbytes==0.50.2
python/bin/pip install --quiet --disable-pip-version-check packaging
python/bin/python - >seen 2>/dev/null <<'END'
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit

for dtype in (torch.float32, torch.float64):
    torch.manual_seed(0)
    layer = Linear4bit(64, 48, bias=False, compute_dtype=dtype, quant_type="nf4").to("cpu")
    x = torch.randn(8, 64, dtype=dtype)
    weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state).to(dtype)
    off = (layer(x) - x @ weight.T).abs().max().item()
    print(dtype, "right" if off < 1e-5 else "wrong")
END
cat >expected <<'END'
torch.float32 right
torch.float64 wrong
END
diff expected seen && echo "as found"
