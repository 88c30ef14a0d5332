#!/usr/bin/env bash
# tokenizers 0.23.3 (Rust).
# Guess: the `id` of an entry of `added_tokens` in tokenizer.json is the id that the token gets.
# Seen: the written id is ignored. A token that the vocabulary holds keeps the vocabulary's id, any other takes the
# next free one. And for a normalized added token, id_to_token gives back the normalized spelling, not the token's
# content.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check tokenizers==0.23.3
cat >run.py <<'END'
import json
from tokenizers import Tokenizer
def load(normalizer, *added):
    flags = dict(single_word=False, lstrip=False, rstrip=False)
    model = dict(type="WordLevel", vocab={"<unk>": 0, "a": 1, "b": 2}, unk_token="<unk>")
    return Tokenizer.from_str(json.dumps(dict(version="1.0", added_tokens=[{**flags, **one} for one in added],
        normalizer=normalizer, pre_tokenizer=dict(type="WhitespaceSplit"), model=model)))
one = load(None, dict(id=10, content="<x>", normalized=False, special=True), dict(id=7, content="b", normalized=False, special=True))
print(one.encode("a <x> b").ids)
two = load(dict(type="Lowercase"), dict(id=3, content="NEW", normalized=True, special=False))
print(two.encode("a NEW").ids, two.id_to_token(3))
END
cat >expected <<'END'
[1, 3, 2]
[1, 3] new
END
python/bin/python run.py >seen
diff expected seen && echo "as found"
