#!/usr/bin/env bash
# transformers 5.24.0 and 4.57.6.
# Guess: a tokenizer that version 5 saved (tokenizer.json, whose format is the same) loads in version 4.
# Seen: version 5 writes `tokenizer_class: TokenizersBackend` for what version 4 called PreTrainedTokenizerFast, and
# AutoTokenizer of version 4 refuses the directory for want of such a class.
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
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocab={"a": 0}, merges=[]))).save_pretrained("model")
END
cat >read.py <<'END'
import transformers
try:
    print(transformers.__version__, type(transformers.AutoTokenizer.from_pretrained("model")).__name__)
except ValueError as error:
    print(transformers.__version__, str(error)[:53])
END
cat >expected <<'END'
5.24.0 TokenizersBackend
4.57.6 Tokenizer class TokenizersBackend does not exist or i
END
5.24.0/bin/python write.py 2>/dev/null
for version in 5.24.0 4.57.6; do "$version/bin/python" read.py 2>/dev/null; done >seen
diff expected seen && echo "as found"
