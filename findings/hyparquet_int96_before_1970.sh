#!/usr/bin/env bash
# hyparquet 1.31.5 on a file of pyarrow 22.0.0.
# Guess: timestamps of the old kind (INT96) come back as they were, at any time.
# Seen: before 1970 pyarrow stores negative nanoseconds of the day; hyparquet joins both numbers by "or", which loses the day: the
# last second of 1969 is read as one of the year -4128, without an error. pyarrow reads it right.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check pyarrow==22.0.0
python/bin/python - >seen <<'END'
import pyarrow as pa
import pyarrow.parquet as pq

times = pa.array([0, -1_000_000_000], pa.timestamp("ns"))
pq.write_table(pa.table({"at": times}), "old.parquet", use_deprecated_int96_timestamps=True)
for one in pq.read_table("old.parquet")["at"].to_pylist():
    print("pyarrow:", one.isoformat())
END
npm install --silent --no-audit --no-fund hyparquet@1.31.5 >/dev/null
cat >read.mjs <<'END'
import { readFileSync } from "node:fs"
import { parquetReadObjects } from "hyparquet"
const file = readFileSync("old.parquet")
const buffer = file.buffer.slice(file.byteOffset, file.byteOffset + file.length)
for (const { at } of await parquetReadObjects({ file: buffer })) console.log("hyparquet: the year", at.getUTCFullYear())
END
node read.mjs >>seen
cat >expected <<'END'
pyarrow: 1970-01-01T00:00:00
pyarrow: 1969-12-31T23:59:59
hyparquet: the year 1970
hyparquet: the year -4128
END
diff expected seen && echo "as found"
