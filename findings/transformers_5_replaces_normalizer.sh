#!/usr/bin/env bash
# transformers 5.24.0 and 4.57.6, tokenizers as each brings along.
# Guess: AutoTokenizer loads tokenizer.json as it is, so that a directory gives the same ids in every version.
# Seen: for a directory whose class is LlamaTokenizer, version 5 keeps vocabulary and merges but puts its own
# pre-tokenizer in the place of the file's normalizer, without a warning. A text that begins with a space loses one
# token, and so does one with a space behind a special token.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 5.24.0 4.57.6; do
  python3 -m venv "$version"
  "$version/bin/pip" install --quiet --disable-pip-version-check "transformers==$version"
done
cat >make.py <<'END'
import json, os
tokens = ["<unk>", "<s>", "</s>", "▁", "a", "b", "▁a", "▁b"]
added = [dict(id=i, content=t, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) for i, t in enumerate(tokens[:3])]
normalizers = [dict(type="Prepend", prepend="▁"), dict(type="Replace", pattern=dict(String=" "), content="▁")]
model = dict(type="BPE", vocab={t: i for i, t in enumerate(tokens)}, merges=[["▁", "a"], ["▁", "b"]], unk_token="<unk>", fuse_unk=True, byte_fallback=False)
os.mkdir("model")
json.dump(dict(version="1.0", added_tokens=added, normalizer=dict(type="Sequence", normalizers=normalizers), model=model), open("model/tokenizer.json", "w"))
json.dump(dict(tokenizer_class="LlamaTokenizer", unk_token="<unk>", bos_token="<s>", eos_token="</s>"), open("model/tokenizer_config.json", "w"))
END
cat >run.py <<'END'
import transformers
from tokenizers import Tokenizer
tokenizer, file = transformers.AutoTokenizer.from_pretrained("model"), Tokenizer.from_file("model/tokenizer.json")
for text in ["a b", " a", "a</s> b"]:
    ids = tokenizer(text, add_special_tokens=False).input_ids
    print(transformers.__version__, repr(text), ids, "as the file says:", file.encode(text, add_special_tokens=False).ids == ids)
END
cat >expected <<'END'
4.57.6 'a b' [6, 7] as the file says: True
4.57.6 ' a' [3, 6] as the file says: True
4.57.6 'a</s> b' [6, 2, 3, 7] as the file says: True
5.24.0 'a b' [6, 7] as the file says: True
5.24.0 ' a' [6] as the file says: False
5.24.0 'a</s> b' [6, 2, 7] as the file says: False
END
export HF_HUB_OFFLINE=1
python3 make.py
for version in 4.57.6 5.24.0; do "$version/bin/python" run.py 2>/dev/null; done >seen
diff expected seen && echo "as found"
