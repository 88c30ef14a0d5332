#!/usr/bin/env bash
# csv-parse 7.0.3.
# Guess: with `info: true` and `record_delimiter: "\n"`, info.lines is the number of the line that a record ends on.
# Seen: a carriage return within quotes counts as a line of its own, and "\r\n" within quotes as two, so that all
# records behind are told of a line too far down.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-fund --no-audit csv-parse@7.0.3
cat >run.mjs <<'END'
import { parse } from "csv-parse/sync"
for (const within of ["a b", "a\rb", "a\r\nb"]) {
  const records = parse(`text,label\n"${within}",x\nc,y\n`, { info: true, record_delimiter: "\n" })
  console.log(JSON.stringify(within), records.map(({ info }) => info.lines).join(" "))
}
END
cat >expected <<'END'
"a b" 1 2 3
"a\rb" 1 3 4
"a\r\nb" 1 4 5
END
node run.mjs >seen
diff expected seen && echo "as found"
