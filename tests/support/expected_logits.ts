/**
 * Logits of a fixture beside those that transformers gave for it: plain, with rows before the tokens, with keys and values.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Contribution } from "../../core/contracts/contribution.ts"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import { Plugins } from "../../core/contracts/plugins.ts"
import { load, type Model } from "../../core/model/mod.ts"
import type { Task } from "../../core/tasks/builtin.ts"
import { batchInputs } from "../../core/data/batches/batch_inputs.ts"
import { evaluate } from "./evaluate.ts"
import { memoryBackend } from "./memory_backend.ts"
import { distance, fixture, run } from "./model_layer.ts"

/** What make.py of a family's fixtures writes beside a model. */
export interface Expected {
  readonly tokens: ReadonlyArray<ReadonlyArray<number>>
  readonly lengths: ReadonlyArray<number>
  readonly logits: ReadonlyArray<number>
  /** Keys and values of each Attention, three before the tokens of the first rows, and the logits with them. */
  readonly keyValues: Before
  /** Three rows before the tokens, and the logits of the tokens with them. */
  readonly rows: Before
  /** New tokens of each prompt. */
  readonly greedy: ReadonlyArray<ReadonlyArray<number>>
  /** Those that a search with three beams finds. */
  readonly beams?: ReadonlyArray<ReadonlyArray<number>>
}
interface Before {
  readonly values: ReadonlyArray<number>
  readonly logits: ReadonlyArray<number>
}

/** The answers beside a fixture's model. */
export const expectedOf = (name: string): Expected =>
  JSON.parse(Deno.readTextFileSync(fixture(`${name}/expected.json`)))

/** Three rows before the tokens. */
export const rowsBefore = ({ values }: Before): Contribution => ({
  id: "test/rows",
  sites: [{
    select: (module) => module.kind === "Backbone",
    plan: () => {
      const shape = [3, values.length / 3]
      return {
        place: "input-prefix",
        length: 3,
        parameters: { rows: { shape, initializer: { kind: "values", data: Float32Array.from(values) } } },
        forward: (scope) => scope.parameter("rows"),
      }
    },
  }],
})

/** Three keys and values before those of each Attention, in the order of their paths. */
export const keysBefore = ({ values }: Before, paths: ReadonlyArray<string>): Contribution => ({
  id: "test/prefix",
  sites: [{
    select: (module) => module.kind === "Attention",
    plan: ({ path, sizes: { keyValueHeads, headDim } }) => {
      const shape = [1, keyValueHeads, 3, headDim], width = keyValueHeads * 3 * headDim
      const part = (i: number) => {
        const at = (2 * paths.indexOf(path) + i) * width
        return {
          shape,
          initializer: { kind: "values", data: Float32Array.from(values.slice(at, at + width)) },
        } as const
      }
      return {
        place: "kv-prefix",
        length: 3,
        parameters: { keys: part(0), values: part(1) },
        forward: (scope) => ({ keys: scope.parameter("keys"), values: scope.parameter("values") }),
      }
    },
  }],
})

/** Registers contributions. */
export const registered = (...contributions: ReadonlyArray<Contribution>): Layer.Layer<never, PluginError, Plugins> =>
  Layer.effectDiscard(
    Effect.flatMap(Effect.service(Plugins), (plugins) => Effect.forEach(contributions, plugins.register)),
  )

/** A fixture with what its logits must be. */
export interface ExpectedLogits {
  /** Directory of the fixture. */
  readonly name: string
  readonly task: Task
  readonly contribution?: Contribution
  /** Default: the plain ones. */
  readonly logits?: ReadonlyArray<number>
  /** How many rows they are of. Default: all. */
  readonly rows?: number
}

/** The largest difference of logits where there is no padding, and the model. */
export function logitsOff(
  { name, task, contribution, logits: wanted, rows }: ExpectedLogits,
): Promise<{ readonly error: number; readonly model: Model }> {
  const expected = expectedOf(name), backend = memoryBackend()
  const lengths = expected.lengths.slice(0, rows), tokens = expected.tokens.slice(0, rows)
  const longest = tokens[0].length
  return run(
    Effect.gen(function* () {
      const model = yield* load(fixture(name), { task })
      const { logits } = model.forward(batchInputs("default", tokens.length, longest, task), { training: false })
      const data = { inputs: { tokens: tokens.flat(), lengths }, slots: backend.slots }
      const width = logits.shape.at(-1)!
      const cut = (values: ArrayLike<number>) =>
        logits.shape.length === 2 ? values : Array.from(values).filter((_, i) => {
          const place = Math.floor(i / width)
          return place % longest < lengths[Math.floor(place / longest)]
        })
      return { error: distance(cut(evaluate(logits, data)), cut(wanted ?? expected.logits)), model }
    }),
    contribution === undefined ? undefined : registered(contribution),
    backend,
  )
}
