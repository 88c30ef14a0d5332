#!/usr/bin/env bash
# @huggingface/tokenizers 0.2.0 (JavaScript) beside tokenizers 0.22.2 (Rust).
# Guess: a `Split` pre-tokenizer of tokenizer.json does with its `behavior` and `invert` what the Rust library does.
# Seen: with a pattern of plain text, `Removed`, `MergedWithPrevious`, `MergedWithNext` and `Contiguous` all cut like
# `Isolated`, and `invert` takes away what lies between. No error: the ids are other ones.
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
  {"file": {"model": {"type": "WordLevel", "vocab": {"<unk>": 0, "a": 1, "b": 2, "c": 3, "-": 4, "d": 5, "-b": 6, "a-": 7, "--": 8, "-d": 9}, "unk_token": "<unk>"}, "pre_tokenizer": {"type": "Split", "pattern": {"String": "-"}, "behavior": "Removed", "invert": false}}, "text": ["a-b--d"]},
  {"file": {"model": {"type": "WordLevel", "vocab": {"<unk>": 0, "a": 1, "b": 2, "c": 3, "-": 4, "d": 5, "-b": 6, "a-": 7, "--": 8, "-d": 9}, "unk_token": "<unk>"}, "pre_tokenizer": {"type": "Split", "pattern": {"String": "-"}, "behavior": "MergedWithPrevious", "invert": false}}, "text": ["a-b--d"]},
  {"file": {"model": {"type": "WordLevel", "vocab": {"<unk>": 0, "a": 1, "b": 2, "c": 3, "-": 4, "d": 5, "-b": 6, "a-": 7, "--": 8, "-d": 9}, "unk_token": "<unk>"}, "pre_tokenizer": {"type": "Split", "pattern": {"String": "-"}, "behavior": "MergedWithNext", "invert": false}}, "text": ["a-b--d"]},
  {"file": {"model": {"type": "WordLevel", "vocab": {"<unk>": 0, "a": 1, "b": 2, "c": 3, "-": 4, "d": 5, "-b": 6, "a-": 7, "--": 8, "-d": 9}, "unk_token": "<unk>"}, "pre_tokenizer": {"type": "Split", "pattern": {"String": "-"}, "behavior": "Contiguous", "invert": false}}, "text": ["a-b--d"]},
  {"file": {"model": {"type": "WordLevel", "vocab": {"<unk>": 0, "a": 1, "b": 2, "c": 3, "-": 4, "d": 5, "-b": 6, "a-": 7, "--": 8, "-d": 9}, "unk_token": "<unk>"}, "pre_tokenizer": {"type": "Split", "pattern": {"String": "-"}, "behavior": "Isolated", "invert": true}}, "text": ["a-b--d"]}
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
Rust a b d
Rust a- <unk> - d
Rust a -b - -d
Rust a - b -- d
Rust a - b - - d
JavaScript a - b - - d
JavaScript a - b - - d
JavaScript a - b - - d
JavaScript a - b - - d
JavaScript - - -
END
{ python/bin/python rust.py; node javascript.mjs; } >seen
diff expected seen && echo "as found"
