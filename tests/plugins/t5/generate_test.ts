import { assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { generate, type GenerateOptions, load } from "../../../core/inference/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { failure, fixture, run } from "../../support/model_layer.ts"

interface Generated {
  readonly settings: Readonly<Record<string, number | boolean | string>>
  readonly ids: ReadonlyArray<ReadonlyArray<number>>
}

const read = (name: string) => JSON.parse(Deno.readTextFileSync(fixture(`t5/${name}/expected.json`)))
/** `num_beams` as `numBeams`. */
const named = (settings: Generated["settings"]): GenerateOptions =>
  Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [name.replace(/_(.)/g, (_, next) => next.toUpperCase()), value]),
  )

for (const name of ["v1_0", "v1_1", "mt5"]) {
  Deno.test(`${name}: greedy and beam search give the tokens that transformers gives`, async () => {
    const { tokens, lengths, generated } = read(name)
    const prompts = tokens.map((row: ReadonlyArray<number>, i: number) => Int32Array.from(row.slice(0, lengths[i])))
    await run(
      Effect.gen(function* () {
        const model = yield* load(fixture(`t5/${name}`), { task: Task.seq2seq() })
        for (const { settings, ids } of generated as ReadonlyArray<Generated>) {
          const options = { ...named(settings), maxNewTokens: 14, stop: [1] }
          const made = yield* generate(model, prompts as ReadonlyArray<Int32Array>, options)
          assertEquals(made.map((row) => [...row]), ids, JSON.stringify(settings))
          // Alone as beside the other.
          assertEquals([...(yield* generate(model, prompts[1] as Int32Array, options))], ids[1])
        }
      }),
    )
  })
}

Deno.test("wrong options of a search are errors", async () => {
  const message = async (options: GenerateOptions) => {
    const generating = Effect.flatMap(
      load(fixture("t5/v1_0"), { task: Task.seq2seq() }),
      (model) => generate(model, Int32Array.of(3, 4), options),
    )
    return (await failure(generating)).message
  }
  assertStringIncludes(await message({ numBeams: 0 }), "numBeams must be a whole number from 1 to 16, got 0")
  assertStringIncludes(await message({ numBeams: 17 }), "numBeams must be a whole number from 1 to 16")
  assertStringIncludes(await message({ numBeams: 2, lengthPenalty: NaN }), "lengthPenalty must be a number")
  assertStringIncludes(await message({ numBeams: 2, earlyStopping: "soon" as never }), "earlyStopping must be")
  assertStringIncludes(await message({ numBeams: 2, temperature: 1 }), "temperature is for draws")
  assertStringIncludes(await message({ noRepeatNgramSize: 0 }), "noRepeatNgramSize must be a whole number from 1")
})
