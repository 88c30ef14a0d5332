#!/usr/bin/env bash
# @huggingface/tokenizers 0.2.0 (JavaScript) beside tokenizers 0.22.2 (Rust).
# Guess: encode(text, { text_pair }) gives the tokens of both texts, whatever the post-processor.
# Seen: under a ByteLevel post-processor the second text is dropped without a word.
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
  {"file": {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}, "post_processor": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}}, "text": ["a", "b"]}
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
Rust a b
JavaScript a
END
{ python/bin/python rust.py; node javascript.mjs; } >seen
diff expected seen && echo "as found"
