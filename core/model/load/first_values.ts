import * as Effect from "effect/Effect"
import { BackendError } from "../../backend/backend_error.ts"
import type { BaseModel, NamedValues } from "../../contracts/contribution.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import type { KeyValues } from "../../contracts/site.ts"
import * as ops from "../../tensor/ops.ts"
import { makeRng, type Rng } from "../../tensor/operations/random.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { hash } from "../hash.ts"
import type { Model } from "../model.ts"
import { wrongTokenId } from "../../data/token_ids.ts"
import { baseParameters } from "../sites/adapters.ts"

/** First values that plugins take from the base model, where an earlier run left none. */
export function firstValues(
  model: Model,
  seed: number,
  initial: ReadonlyMap<string, NamedValues>,
): Effect.Effect<ReadonlyArray<NamedValues>, PluginError | BackendError> {
  return Effect.gen(function* () {
    const all: NamedValues[] = []
    for (const { id, initialize } of model.contributions) {
      const own = model.parameters.filter(({ owner, key }) => owner === id && !initial.has(key))
      if (initialize === undefined || own.length === 0) continue
      const values = yield* initialize(own, baseModel(model, id, makeRng(seed, hash(id)))).pipe(
        Effect.mapError((error) =>
          error instanceof PluginError || error instanceof BackendError
            ? error
            : new PluginError({ plugin: id, message: `${id}: ${error.message}` })
        ),
      )
      for (const { parameter: { key }, data } of values) {
        const found = own.find((parameter) => parameter.key === key)
        if (found !== undefined && sizeOf(found.shape) === data.length) continue
        const message = `${id}: it gave ${data.length} first values for "${key}", ` +
          (found === undefined ? "which is none of its parameters" : `which is [${found.shape}]`)
        return yield* new PluginError({ plugin: id, message })
      }
      all.push(...values)
    }
    return all
  })
}

/** What a plugin sees of a model whose weights are there. */
function baseModel(model: Model, id: string, rng: Rng): BaseModel {
  const { directory, modules, network, tasks, forward } = model
  return {
    ...baseParameters(model, id),
    directory,
    modules,
    vocabSize: network.vocabSize,
    rng,
    keyValues: (tokens) => {
      const { length } = tokens
      const wrong = wrongTokenId(tokens, network.vocabSize)
      if (wrong !== undefined) {
        throw new PluginError({ plugin: id, message: `${id}: it wants what stands for ${wrong}` })
      }
      const seen = new Map<string, KeyValues>()
      forward({
        tokens: ops.constant(tokens, [1, length]),
        lengths: ops.full(length, [1], "i32"),
        fields: {},
        exampleWeight: ops.full(1, [1]),
        task: Object.keys(tasks)[0],
      }, {
        training: false,
        methods: false,
        decoding: {
          start: ops.full(0, [1], "i32"),
          first: true,
          capacity: length,
          extend: ({ path }, own) => {
            seen.set(path, own)
            return own
          },
          recall: (_, own) => own!,
          state: (_, shape) => ops.full(0, [1, ...shape]),
        },
      })
      return seen
    },
  }
}
