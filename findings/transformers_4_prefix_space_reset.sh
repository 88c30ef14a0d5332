#!/usr/bin/env bash
# transformers 4.57.6 and 5.24.0.
# Guess: a ByteLevel pre-tokenizer with `add_prefix_space: true` in tokenizer.json puts a space before each text.
# Seen: version 4's PreTrainedTokenizerFast sets it to false unless tokenizer_config.json says `add_prefix_space` too,
# so that nearly every text begins with another token; version 5 takes the file as it is.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 5.24.0 4.57.6; do
  python3 -m venv "$version"
  "$version/bin/pip" install --quiet --disable-pip-version-check "transformers==$version"
done
export HF_HUB_OFFLINE=1
cat >write.py <<'END'
import json, os
from tokenizers import Tokenizer, models, pre_tokenizers
tokenizer = Tokenizer(models.BPE(vocab={"a": 0, "Ġ": 1, "Ġa": 2}, merges=[("Ġ", "a")]))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
os.mkdir("model")
tokenizer.save("model/tokenizer.json")
json.dump(dict(tokenizer_class="PreTrainedTokenizerFast"), open("model/tokenizer_config.json", "w"))
END
cat >read.py <<'END'
import transformers
print(transformers.__version__, transformers.AutoTokenizer.from_pretrained("model").tokenize("a"))
END
cat >expected <<'END'
5.24.0 ['Ġa']
4.57.6 ['a']
END
4.57.6/bin/python write.py
for version in 5.24.0 4.57.6; do "$version/bin/python" read.py 2>/dev/null; done >seen
diff expected seen && echo "as found"
