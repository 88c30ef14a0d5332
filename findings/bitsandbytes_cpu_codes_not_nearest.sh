#!/usr/bin/env bash
# bitsandbytes 0.50.2 with torch 2.13.0, on a CPU.
# Guess: 8-bit quantization by blocks, also that of the scales of 4-bit weights, gives each number the nearest entry of its map.
# Seen: about one code in seven hundred is that of a neighbour: the place is looked up in a coarse table. A port that takes the
# nearest entry does not reproduce such files.
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
from bitsandbytes.functional import quantize_blockwise

torch.manual_seed(0)
numbers = torch.randn(1 << 18)
codes, state = quantize_blockwise(numbers, blocksize=256)
scaled = (numbers.reshape(-1, 256) / state.absmax[:, None]).double()
distance = (scaled[..., None] - state.code.double()).abs()
own = distance.gather(-1, codes.reshape(-1, 256, 1).long())[..., 0]
# Farther than the nearest by more than rounding explains.
worse = (own > distance.min(-1).values + 1e-6).sum().item()
print("codes of a neighbour:", "none" if worse == 0 else "100 to 1,000 of 262,144" if 100 <= worse <= 1000 else worse)
END
cat >expected <<'END'
codes of a neighbour: 100 to 1,000 of 262,144
END
diff expected seen && echo "as found"
