/**
 * A file that is larger than memory should be, through one epoch of training: makes it (`size=2000`, in MB; JSON Lines, or with
 * `format=csv` CSV whose texts have two lines), counts and divides its rows, trains on all of them, and prints resident memory on the
 * way. Ends with status 1 where memory grows with the file: where the most after the first quarter is 64 MB above the most in it.
 *
 * ```sh
 * deno run -A --v8-flags=--expose-gc tests/streamed_run.ts size=2000
 * ```
 *
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, Task, Trainer } from "../mod.ts"
import * as Llama from "../plugins/llama/mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import { texts, tokenizer } from "./core/training/support.ts"

const megabytes = Number(Deno.args.find((word) => word.startsWith("size="))?.slice(5) ?? 200)
const format = Deno.args.includes("format=csv") ? "csv" : "jsonl"
const MB = 1e6
/** Bytes of each row's other column, which no task reads: pages have them. */
const OTHER = 8000

const makeFile = async (path: string): Promise<number> => {
  const file = await Deno.open(path, { write: true, create: true })
  const { rows } = texts(200)
  const page = "lorem ipsum dolor sit amet ".repeat(Math.ceil(OTHER / 27)).slice(0, OTHER)
  let bytes = format === "csv" ? await file.write(new TextEncoder().encode("id,text,page\n")) : 0, row = 0
  while (bytes < megabytes * MB) {
    const lines = Array.from({ length: 256 }, () => {
      const { text } = rows[row % rows.length]
      const own = { id: row++, text: `${text} ${row}${format === "csv" ? "\n" : " "}${text}`, page }
      return format === "csv" ? `${own.id},"${own.text}",${page}\n` : `${JSON.stringify(own)}\n`
    })
    const part = new TextEncoder().encode(lines.join(""))
    for (let at = 0; at < part.length;) at += await file.write(part.subarray(at))
    bytes += part.length
  }
  file.close()
  return row
}

const rss = () => Deno.memoryUsage().rss / MB
const seen: Array<{ readonly share: number; readonly rss: number }> = []
let began = performance.now()
const point = (what: string, share: number) => {
  seen.push({ share, rss: rss() })
  const heap = Deno.memoryUsage().heapUsed / MB
  const seconds = (performance.now() - began) / 1000
  console.log(
    `${what} ${(100 * share).toFixed(0).padStart(3)} %: RSS ${rss().toFixed(0)} MB, heap ${heap.toFixed(0)} MB, ` +
      `${seconds.toFixed(0)} s`,
  )
}

const config = {
  model_type: "llama",
  vocab_size: 300,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
}

const program = (path: string) =>
  Effect.gen(function* () {
    const stream = Dataset.stream(path, { text: "text" })
    const { train, validation } = yield* stream.pipe(Dataset.splitStream({ validation: 0.1, test: 0 }))
    point("counted and divided", 0)
    console.log(`${train.count} rows for training, ${validation.rows.length} for validation`)
    const model = yield* Model.initialize(config, { task: Task.causalLM() })
    let next = 0.05
    yield* Trainer.fit(model, { train, validation }, {
      epochs: 1,
      batchSize: 64,
      maxLength: 32,
      tokenizer,
      observe: (event) =>
        Effect.sync(() => {
          if (event.type !== "step" || event.epoch < next) return
          point("trained", event.epoch)
          next += 0.05
        }),
    })
    point("trained", 1)
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Layer.mergeAll(Lora.layer({ r: 4 }), Llama.layer).pipe(
        Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
      ),
    ),
    Effect.provide(NodeFileSystem.layer),
  )

const folder = await Deno.makeTempDir()
try {
  const rows = await makeFile(`${folder}/big.${format}`)
  console.log(`${megabytes} MB, ${rows} rows, RSS ${rss().toFixed(0)} MB`)
  began = performance.now()
  await Effect.runPromise(program(`${folder}/big.${format}`))
} finally {
  await Deno.remove(folder, { recursive: true })
}
const most = (from: number, to: number) =>
  Math.max(...seen.filter(({ share }) => share > from && share <= to).map(({ rss }) => rss))
const growth = most(0.25, 1) - most(0, 0.25)
console.log(`most after the first quarter minus most in it: ${growth.toFixed(0)} MB`)
Deno.exit(growth < 64 ? 0 : 1)
