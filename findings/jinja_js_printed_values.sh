#!/usr/bin/env bash
# @huggingface/jinja 0.5.11 (JavaScript) beside jinja2 3.1.6 (Python) as transformers sets it up for chat templates.
# Guess: a printed flag, none or list is the text that the template's author saw in Python, or an error.
# Seen: the JavaScript library prints JSON instead, and nothing at all for none.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-fund --no-audit @huggingface/jinja@0.5.11
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check jinja2==3.1.6

cat >template.jinja <<'END'
{{ flag }} {{ nothing }}. {{ tool }} {{ tool.get('default') }}.
END
cat >values.json <<'END'
{"flag": true, "nothing": null, "tool": {"name": "a", "strict": false, "required": ["x", null]}}
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
Python "True None. {'name': 'a', 'strict': False, 'required': ['x', None]} None."
JavaScript "true . {\"name\": \"a\", \"strict\": false, \"required\": [\"x\", null]} ."
END
{ python/bin/python python.py; node javascript.mjs; } >seen
diff expected seen && echo "as found"
