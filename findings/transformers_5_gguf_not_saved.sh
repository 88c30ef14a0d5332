#!/usr/bin/env bash
# transformers 5.24.0 with torch 2.13.0 and gguf 0.19.0.
# Guess: a Llama read from a GGUF file is float32 in plain layers then, as the documentation says, and can be saved; the more so
# where the file itself holds float32 alone, as `GgufConfig(dequantize=True)` asks for what happens anyway.
# Seen: `save_pretrained` refuses, "quantized with gguf", until `dequantize=True` is given, which changes no weight. 4.57.6 saves.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 transformers==5.24.0 gguf==0.19.0 \
  accelerate==1.15.0
export HF_HUB_OFFLINE=1
python/bin/python - >seen 2>warnings <<'END'
import numpy
import torch
from gguf import GGUFWriter
from transformers import AutoModelForCausalLM, GgufConfig

writer = GGUFWriter("model.gguf", "llama")
writer.add_context_length(64)
writer.add_embedding_length(32)
writer.add_block_count(1)
writer.add_feed_forward_length(64)
writer.add_head_count(2)
writer.add_head_count_kv(2)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_rope_freq_base(1e4)
writer.add_vocab_size(16)
shapes = {"token_embd": (16, 32), "output_norm": (32,), "output": (16, 32)}
names = ("attn_q", "attn_k", "attn_v", "attn_output")
shapes |= {f"blk.0.{name}": (32, 32) for name in names} | {f"blk.0.{name}": (32,) for name in ("attn_norm", "ffn_norm")}
shapes |= {"blk.0.ffn_gate": (64, 32), "blk.0.ffn_up": (64, 32), "blk.0.ffn_down": (32, 64)}
random = numpy.random.default_rng(0)
for name, shape in shapes.items():
    writer.add_tensor(f"{name}.weight", random.standard_normal(shape, numpy.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()


def read(**options):
    model = AutoModelForCausalLM.from_pretrained(".", gguf_file="model.gguf", **options)
    try:
        model.save_pretrained("saved")
        return model, "saved"
    except ValueError as error:
        return model, str(error).split(" - ")[0]


default, first = read()
asked, second = read(quantization_config=GgufConfig(dequantize=True))
print("default:", type(default.model.layers[0].mlp.up_proj).__name__, first)
print("dequantize=True:", type(asked.model.layers[0].mlp.up_proj).__name__, second)
weights = asked.state_dict()
same = all(value.dtype == torch.float32 and torch.equal(value, weights[name]) for name, value in default.state_dict().items())
print("the same float32 weights:", same)
END
cat >expected <<'END'
default: Linear The model is quantized with gguf and is not serializable
dequantize=True: Linear saved
the same float32 weights: True
END
diff expected seen && echo "as found"
