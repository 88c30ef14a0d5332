/**
 * Writes the JSON Schema of run files for editors: `deno task schema`.
 * @module
 */
import { runSchema } from "../core/run/mod.ts"
import { METHODS, READERS } from "../plugins/all/mod.ts"

const file = new URL("./espalier.schema.json", import.meta.url)
await Deno.writeTextFile(file, `${JSON.stringify(runSchema(METHODS, READERS), null, 2)}\n`)
