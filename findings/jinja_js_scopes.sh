#!/usr/bin/env bash
# @huggingface/jinja 0.5.11 (JavaScript) beside jinja2 3.1.6 (Python) as transformers sets it up for chat templates.
# Guess: a name that is set within a pass of a loop is gone in the next pass, and a macro sees the names where it is defined.
# Seen: the JavaScript library keeps the name for later passes, and its macros see the names of their caller: other text, no error.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-fund --no-audit @huggingface/jinja@0.5.11
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check jinja2==3.1.6

cat >template.jinja <<'END'
{% macro show() %}{{ role }}{% endmacro %}{% for role in roles %}{% if loop.first %}{% set seen = 'first' %}{% endif %}[{{ seen }}|{{ show() }}]{% endfor %}
END
cat >values.json <<'END'
{"roles": ["user", "assistant"]}
END
cat >python.py <<'END'
import json
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
values = json.load(open("values.json"))
print("Python", json.dumps(environment.from_string(open("template.jinja").read().rstrip("\n")).render(values)))
END
cat >javascript.mjs <<'END'
import { readFileSync } from "node:fs"
import { Template } from "@huggingface/jinja"
const template = new Template(readFileSync("template.jinja", "utf8").replace(/\n$/, ""))
console.log("JavaScript", JSON.stringify(template.render(JSON.parse(readFileSync("values.json", "utf8")))))
END
cat >expected <<'END'
Python "[first|][|]"
JavaScript "[first|user][first|assistant]"
END
{ python/bin/python python.py; node javascript.mjs; } >seen
diff expected seen && echo "as found"
