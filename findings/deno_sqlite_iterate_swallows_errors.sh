#!/usr/bin/env bash
# Deno 2.9.6 with its node:sqlite.
# Guess: `iterate` throws where SQLite fails within a statement, as `all` does.
# Seen: it ends, without an error: of a query that fails in its third row two rows come, and a statement that writes into a database
# that was opened to be read gives none. Who streams rows loses the rest in silence.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >read.ts <<'END'
import { DatabaseSync } from "node:sqlite"
const database = new DatabaseSync(":memory:")
database.exec("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1), (2), (-9223372036854775808), (4)")
const query = database.prepare("SELECT abs(a) AS a FROM t")
for (const [name, read] of [["all", () => query.all()], ["iterate", () => [...query.iterate()]]] as const) {
  try {
    console.log(`${name}: ${read().length} rows`)
  } catch (error) {
    console.log(`${name}: ${(error as Error).message}`)
  }
}
END
npx --yes deno@2.9.6 run --quiet read.ts >seen
cat >expected <<'END'
all: integer overflow
iterate: 2 rows
END
diff expected seen && echo "as found"
