#!/usr/bin/env bash
# csv-parse 7.0.3.
# Guess: without `record_delimiter` the parser takes "\n" and "\r\n" as line ends wherever they stand, as Python's csv
# does.
# Seen: the first line's end is taken for all. Where later lines end in "\r\n", their last field keeps a "\r" (the
# label "a\r" is another class than "a"); the other way round, two lines become one record with a line end in a field.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-fund --no-audit csv-parse@7.0.3
cat >run.mjs <<'END'
import { parse } from "csv-parse/sync"
console.log(JSON.stringify(parse("text,label\nred,a\r\nblue,b\r\n")))
console.log(JSON.stringify(parse("text,label\r\nred,a\nblue,b\n", { relax_column_count: true })))
END
cat >expected <<'END'
[["text","label"],["red","a\r"],["blue","b\r"]]
[["text","label"],["red","a\nblue","b\n"]]
END
node run.mjs >seen
diff expected seen && echo "as found"
