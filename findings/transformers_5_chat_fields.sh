#!/usr/bin/env bash
# transformers 5.24.0 and 4.57.6, jinja2 3.1.6.
# Guess: one chat template renders one chat to one text in both, as messages reach it as they are.
# Seen: version 5 takes out fields that are null, such as the content beside calls of tools, and gives thoughts under
# further names (`thinking` for `reasoning_content`); version 4 does neither. The text differs, without a warning.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >render.py <<'END'
import transformers
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
template = "{% for m in messages %}{{ m.content }}|{{ m.thinking }};{% endfor %}"
call = {"type": "function", "function": {"name": "f", "arguments": {}}}
chat = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": None, "tool_calls": [call]},
    {"role": "assistant", "content": "b", "reasoning_content": "c"},
]
print(transformers.__version__, tokenizer.apply_chat_template(chat, chat_template=template, tokenize=False))
END
export HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error
for version in 5.24.0 4.57.6; do
  python3 -m venv "$version"
  "$version/bin/pip" install --quiet --disable-pip-version-check "transformers==$version" jinja2==3.1.6
  "$version/bin/python" render.py 2>/dev/null >>seen
done
cat >expected <<'END'
5.24.0 a|;|;b|c;
4.57.6 a|;None|;b|;
END
diff expected seen && echo "as found"
