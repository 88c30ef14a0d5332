#!/usr/bin/env bash
# bitsandbytes 0.50.2 with torch 2.13.0, on a CPU with AVX512-BF16.
# Guess: a 4-bit layer whose `compute_dtype` is float32 gives the same output in `train()` and in `eval()`: it has no dropout.
# Seen: in `eval()` it computes in bfloat16, and its output is off by more than 0.1 %; nothing says so. The processor
# decides: without AVX512-BF16 both are the same. `layer.support_avx512bf16_for_cpu = False` before the first call keeps float32.
set -euo pipefail
grep -q avx512_bf16 /proc/cpuinfo || { echo "this processor has no AVX512-BF16: nothing to see"; exit 0; }
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

torch.manual_seed(0)
x = torch.randn(8, 512)


def off(mode, bfloat16):
    torch.manual_seed(1)
    layer = Linear4bit(512, 512, bias=False, compute_dtype=torch.float32, quant_type="nf4").to("cpu")
    right = x @ dequantize_4bit(layer.weight.data, layer.weight.quant_state).T
    if not bfloat16:
        layer.support_avx512bf16_for_cpu = False
    layer.train(mode == "train")
    with torch.no_grad():
        found = layer(x)
    return ((found - right).norm() / right.norm()).item()


for mode, bfloat16 in (("train", True), ("eval", True), ("eval", False)):
    error = off(mode, bfloat16)
    size = "below 1e-6" if error < 1e-6 else "above 1e-3" if error > 1e-3 else "between"
    print(mode, "as it comes" if bfloat16 else "told not to", size)
END
cat >expected <<'END'
train as it comes below 1e-6
eval as it comes above 1e-3
eval told not to below 1e-6
END
diff expected seen && echo "as found"
