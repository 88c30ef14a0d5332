import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { bucketOf } from "../../../core/model/blocks/positions/relative_positions.ts"
import type { BatchTensors } from "../../../core/contracts/objective.ts"
import { initialize, load } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { evaluateAll } from "../../support/evaluate.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, failure, fixture, run } from "../../support/model_layer.ts"

interface Expected {
  readonly tokens: ReadonlyArray<ReadonlyArray<number>>
  readonly lengths: ReadonlyArray<number>
  readonly labels: ReadonlyArray<ReadonlyArray<number>>
  readonly encoded: ReadonlyArray<number>
  readonly logits: ReadonlyArray<number>
  readonly loss: number
}

const read = (name: string) => JSON.parse(Deno.readTextFileSync(fixture(`t5/${name}`)))
const task = Task.seq2seq()

const batch: BatchTensors = {
  tokens: ops.input("tokens", [2, 17], { dtype: "i32", batch: true }),
  lengths: ops.input("lengths", [2], { dtype: "i32", batch: true }),
  fields: { labels: ops.input("labels", [2, 13], { dtype: "i32", batch: true }) },
  exampleWeight: ops.input("exampleWeight", [2], { batch: true }),
  task: "default",
}

Deno.test("buckets of distances as transformers rounds them", () => {
  for (const { buckets, ...own } of read("buckets.json")) {
    assertEquals(buckets.map((_: number, i: number) => bucketOf(i - 600, own)), buckets, JSON.stringify(own))
  }
})

for (const name of ["v1_0", "v1_1", "mt5"]) {
  Deno.test(`${name}: the encoder's states, logits and loss as in transformers`, async () => {
    const { tokens, lengths, labels, ...expected }: Expected = read(`${name}/expected.json`)
    const backend = memoryBackend()
    await run(
      Effect.gen(function* () {
        const model = yield* load(fixture(`t5/${name}`), { task })
        const { logits } = model.forward(batch, { training: false })
        const { hidden } = model.forward({ ...batch, fields: {} }, { training: false })
        const outputs = { batch, outputs: { logits, hidden } }
        const { loss, weight } = task.objective({
          ...outputs,
          base: () => outputs.outputs,
          parameter: () => logits,
          trained: [],
        })
        const values = evaluateAll([logits, hidden, loss, weight], {
          inputs: { tokens: tokens.flat(), lengths, labels: labels.flat() },
          slots: backend.slots,
        })
        const within = (values: ArrayLike<number>, counts: ReadonlyArray<boolean>) => {
          const width = values.length / counts.length
          return Array.from(values).filter((_, i) => counts[Math.floor(i / width)])
        }
        const told = within(values[0], labels.flat().map((label) => label >= 0))
        assert(distance(told, expected.logits) < 1e-5, `logits are off by ${distance(told, expected.logits)}`)
        const seen = within(values[1], tokens.flatMap((row, i) => row.map((_, at) => at < lengths[i])))
        assert(distance(seen, expected.encoded) < 1e-5, `states are off by ${distance(seen, expected.encoded)}`)
        const total = (own: ArrayLike<number>) => Array.from(own).reduce((sum, one) => sum + one, 0)
        assert(Math.abs(total(values[2]) / total(values[3]) - expected.loss) < 1e-5)
        const own = model.parameters.map(({ key }) => key)
        assertEquals(own.includes("lm_head.weight"), name !== "v1_0")
        assertEquals(own.filter((key) => key.includes("relative_attention_bias")).length, 2)
      }),
      undefined,
      backend,
    )
  })
}

Deno.test("what the family does not know is an error that names the field", async () => {
  const config = read("v1_0/config.json")
  const message = async (more: Readonly<Record<string, unknown>>, task: Task = Task.seq2seq()) =>
    (await failure(initialize({ ...config, ...more }, { task }))).message
  for (
    const [name, value] of [
      ["feed_forward_proj", "twice-gated-gelu"],
      ["dense_act_fn", "mish"],
      ["relative_attention_num_buckets", 2],
      ["relative_attention_max_distance", 4],
      ["is_decoder", true],
      ["is_encoder_decoder", false],
      ["attention_window", 8],
      ["dropout_rate", 1],
    ] as const
  ) assertStringIncludes(await message({ [name]: value }), `config: ${name} must be`)
  assertStringIncludes(await message({}, Task.causalLM()), "has no head for causal-lm")
  assertStringIncludes(await message({}, Task.classification(["a", "b"])), "no head for classification")
})
