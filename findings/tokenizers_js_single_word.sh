#!/usr/bin/env bash
# @huggingface/tokenizers 0.2.0 (JavaScript) beside tokenizers 0.22.2 (Rust).
# Guess: an added token with `single_word: true` is found only where it stands as a word of its own.
# Seen: the JavaScript library finds it within words too and tears them apart.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-fund --no-audit @huggingface/tokenizers@0.2.0
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check tokenizers==0.22.2

cat >files.json <<'END'
[
  {"file": {"added_tokens": [{"id": 1, "content": "art", "single_word": true, "lstrip": false, "rstrip": false, "normalized": false, "special": false}], "model": {"type": "WordLevel", "vocab": {"<unk>": 0, "art": 1, "party": 2}, "unk_token": "<unk>"}, "pre_tokenizer": {"type": "Whitespace"}}, "text": ["party art"]}
]
END
cat >rust.py <<'END'
import json
from tokenizers import Tokenizer
for case in json.load(open("files.json")):
    empty = dict.fromkeys(("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder"))
    tokenizer = Tokenizer.from_str(json.dumps({"version": "1.0", "added_tokens": [], **empty, **case["file"]}))
    print("Rust", " ".join(tokenizer.encode(*case["text"]).tokens))
END
cat >javascript.mjs <<'END'
import { readFileSync } from "node:fs"
import { Tokenizer } from "@huggingface/tokenizers"
for (const { file, text: [text, text_pair] } of JSON.parse(readFileSync("files.json", "utf8"))) {
  const empty = { truncation: null, padding: null, normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null }
  const tokenizer = new Tokenizer({ version: "1.0", added_tokens: [], ...empty, ...file }, {})
  console.log("JavaScript", tokenizer.encode(text, text_pair === undefined ? {} : { text_pair }).tokens.join(" "))
}
END
cat >expected <<'END'
Rust party art
JavaScript p art y art
END
{ python/bin/python rust.py; node javascript.mjs; } >seen
diff expected seen && echo "as found"
