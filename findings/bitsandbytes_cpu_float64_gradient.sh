#!/usr/bin/env bash
# bitsandbytes 0.50.2 with torch 2.13.0, on a CPU.
# Guess: what a 4-bit layer computes does not depend on whether its input asks for a gradient.
# Seen: with float64 as the type of its numbers it does: without a gradient the product is exact, with one the output is
# another altogether. In float32 both are right.
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
    for gradient in (False, True):
        out = layer(x.clone().requires_grad_(gradient)).detach()
        want = x @ dequantize_4bit(layer.weight.data, layer.weight.quant_state).to(dtype).T
        off = (out - want).abs().max().item()
        print(str(dtype), "with a gradient:" if gradient else "without:", "right" if off < 1e-5 else "off by more than 0.1" if off > 0.1 else off)
END
cat >expected <<'END'
torch.float32 without: right
torch.float32 with a gradient: right
torch.float64 without: right
torch.float64 with a gradient: off by more than 0.1
END
diff expected seen && echo "as found"
