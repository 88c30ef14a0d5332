import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { generate, load, saveCheckpoint } from "../../../core/inference/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { expectedOf, keysBefore, logitsOff, rowsBefore } from "../../support/expected_logits.ts"
import { fixture, run } from "../../support/model_layer.ts"

const task = Task.causalLM()
/** Those of make.py. */
const PROMPTS = [[3, 17, 8, 21], [5], [30, 2, 9, 9, 4, 11, 7]]

Deno.test("gpt2: transposed weights, learned positions, tied and untied heads, scales of scores as in transformers", async () => {
  for (const name of ["gpt2/plain", "gpt2/scaled"]) {
    const { error, model } = await logitsOff({ name, task })
    assert(error < 1e-5, `${name}: logits are off by ${error}`)
    assertEquals(model.parameters.some(({ key }) => key === "lm_head.weight"), name === "gpt2/scaled")
    const modules = model.modules.filter(({ transposed }) => transposed).map(({ path }) => path)
    const names = ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"]
    assertEquals(modules, [0, 1].flatMap((i) => names.map((name) => `transformer.h.${i}.${name}`)))
  }
})

Deno.test("gpt2: classes of a text by its last token, bf16 weights as in transformers", async () => {
  const { error, model } = await logitsOff({
    name: "gpt2/classes",
    task: Task.classification(["a", "b", "c"]),
  })
  assert(error < 1e-5, `logits are off by ${error}`)
  assertEquals(model.modules.filter(({ outputHead }) => outputHead).map(({ path }) => path), ["score"])
})

Deno.test("gpt2: keys and values, or rows, before the tokens shift positions as in transformers", async () => {
  const paths = [0, 1].map((i) => `transformer.h.${i}.attn`)
  for (const name of ["gpt2/plain", "gpt2/scaled"]) {
    const { keyValues, rows } = expectedOf(name)
    for (
      const { contribution, logits } of [
        { contribution: keysBefore(keyValues, paths), logits: keyValues.logits },
        { contribution: rowsBefore(rows), logits: rows.logits },
      ]
    ) {
      const { error } = await logitsOff({ name, task, contribution, logits })
      assert(error < 1e-5, `${name}, ${contribution.id}: logits are off by ${error}`)
    }
  }
})

Deno.test("gpt2: greedy tokens of prompts of different lengths, made together, are transformers'", async () => {
  for (const name of ["gpt2/plain", "gpt2/scaled"]) {
    const made = await run(
      Effect.gen(function* () {
        const model = yield* load(fixture(name), { task })
        return yield* generate(model, PROMPTS.map((ids) => Int32Array.from(ids)), { maxNewTokens: 12 })
      }),
    )
    assertEquals(made.map((ids) => [...ids]), expectedOf(name).greedy)
  }
})

Deno.test("gpt2: a saved directory has the names and layouts of the one it came from", async () => {
  const saved = await Deno.makeTempDir()
  try {
    for (const name of ["plain", "scaled"]) {
      await run(
        Effect.gen(function* () {
          const model = yield* load(fixture(`gpt2/${name}`), { task })
          yield* saveCheckpoint(model, `${saved}/${name}`, { dtype: name === "plain" ? "F16" : "F32" })
        }),
      )
      const [ours, theirs] = [`${saved}/${name}`, fixture(`gpt2/${name}`)].map((directory) =>
        tensorsOf(Deno.readFileSync(`${directory}/model.safetensors`))
      )
      assertEquals(ours, theirs)
    }
  } finally {
    await Deno.remove(saved, { recursive: true })
  }
})

/** Shape and bytes of each tensor of a file. */
function tensorsOf(bytes: Uint8Array): Record<string, unknown> {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  const { __metadata__: _, ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))
  return Object.fromEntries(
    Object.keys(header).sort().map((name) => {
      const { shape, dtype, data_offsets: [from, to] } = header[name]
      return [name, { shape, dtype, bytes: bytes.slice(8 + length + from, 8 + length + to) }]
    }),
  )
}
