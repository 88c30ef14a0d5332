#!/usr/bin/env bash
# transformers 5.24.0 and 4.57.6.
# Guess: a config.json that version 5 writes is read by version 4 as the same model, or refused.
# Seen: version 5 writes the rotary base and its scaling as `rope_parameters` alone; version 4 knows no such field,
# keeps it as an unknown attribute, and takes theta 10,000 without scaling, without a warning.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 5.24.0 4.57.6; do
  python3 -m venv "$version"
  "$version/bin/pip" install --quiet --disable-pip-version-check "transformers==$version"
done
export HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=warning
5.24.0/bin/python - <<'END' 2>/dev/null
from transformers import LlamaConfig
rope = dict(rope_type="linear", factor=4.0, rope_theta=500000.0)
LlamaConfig(rope_parameters=rope).save_pretrained("model")
END
4.57.6/bin/python - >seen 2>warnings <<'END'
from transformers import LlamaConfig
config = LlamaConfig.from_pretrained("model")
print(config.rope_theta, config.rope_scaling)
END
grep -v "PyTorch" warnings | grep -i rope >>seen || true
echo "10000.0 None" >expected
diff expected seen && echo "as found"
