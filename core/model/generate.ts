import * as Effect from "effect/Effect"
import type { Executable, Slot } from "../backend/backend.ts"
import { BackendError } from "../backend/backend_error.ts"
import { build } from "../graph/build.ts"
import * as ops from "../tensor/ops.ts"
import type { SlotReference } from "../tensor/leaves.ts"
import type { Tensor } from "../tensor/tensor.ts"
import type { Model } from "./model.ts"
import { ModelError } from "./model_error.ts"
import type { Decoding } from "./module.ts"
import { longestPrefix, sitesOn } from "./sites.ts"
import { wrongTokenId } from "./token_ids.ts"

/** Options of {@link generate}. */
export interface GenerateOptions {
  /** Most tokens to add. Default 64. */
  readonly maxNewTokens?: number
  /** Tokens that end the text; the one that came is part of the result. Default: none. */
  readonly stopIds?: ReadonlyArray<number>
  /** False takes the base model. Default true. */
  readonly methods?: boolean
}

/**
 * Goes on with a text, the likeliest token each time (of equals the one with the smaller id). Keys and values of earlier
 * tokens are kept, so a token costs one step of one token. Gives the new tokens alone.
 */
export function generate(
  model: Model,
  prompt: Int32Array,
  { maxNewTokens = 64, stopIds = [], methods = true }: GenerateOptions = {},
): Effect.Effect<Int32Array, ModelError | BackendError> {
  return Effect.suspend(() => {
    const { task, network, backend } = model
    const capacity = prompt.length + maxNewTokens
    const wrongIn = (what: string, ids: ArrayLike<number>) => {
      const found = wrongTokenId(ids, network.vocabSize)
      return found && `${what} ${found}`
    }
    const wrong = task.kind !== "causal-lm"
      ? "only a causal language model generates text"
      : !Number.isSafeInteger(maxNewTokens) || maxNewTokens < 1
      ? `maxNewTokens must be a positive integer, got ${maxNewTokens}`
      : prompt.length === 0 || capacity > network.maxPositions
      ? `a prompt of ${prompt.length} tokens and ${maxNewTokens} new ones must be 1 to ${network.maxPositions} positions`
      : wrongIn("the prompt has the", prompt) ?? wrongIn("stopIds has the", stopIds)
    if (wrong !== undefined) return Effect.fail(new ModelError({ reason: "Unsupported", message: wrong }))

    const memory = new Map<string, { readonly keys: Slot; readonly values: Slot }>()
    const executables: Executable[] = []
    const logitsOf = (length: number, decoding: Decoding): Tensor =>
      model.forward({
        tokens: ops.input("tokens", [1, length], { dtype: "i32" }),
        lengths: ops.full(length, [1], "i32"),
        labels: ops.full(-100, [1, length], "i32"),
        exampleWeight: ops.full(1, [1]),
        task: "",
      }, { training: false, methods, decoding }).logits
    /** The next token after `length` more. */
    const compile = async (length: number, first: boolean, places: number): Promise<Executable> => {
      const updates: (readonly [SlotReference, Tensor])[] = []
      const start = ops.input("start", [1], { dtype: "i32" })
      const decoding: Decoding = {
        start,
        first,
        capacity: places,
        extend: ({ path }, own) => {
          let slots = memory.get(path)
          if (slots === undefined) {
            const [, heads, , width] = own.keys.shape
            const allocate = (name: string) => backend.allocate(`${name} of ${path}`, [1, heads, places, width])
            slots = { keys: allocate("keys"), values: allocate("values") }
            memory.set(path, slots)
          }
          const put = (slot: Slot, part: Tensor) => {
            const value = ops.updateSlice(ops.slot(slot), part, start, 2)
            updates.push([slot, value])
            return value
          }
          return { keys: put(slots.keys, own.keys), values: put(slots.values, own.values) }
        },
      }
      const next = ops.argmax(ops.narrow(logitsOf(length, decoding), 1, length - 1, length))
      const executable = await backend.compile(build({ name: `generate from ${length}`, outputs: { next }, updates }))
      executables.push(executable)
      return executable
    }
    const run = async (): Promise<Int32Array> => {
      const made: number[] = []
      const rows = methods ? longestPrefix(sitesOn(model), "Backbone") : 0
      let executable = await compile(prompt.length, true, rows + capacity)
      let tokens = prompt
      for (let start = 0; made.length < maxNewTokens;) {
        const { next } = await executable.run({ tokens, start: Int32Array.of(start) })
        made.push(next[0])
        if (stopIds.includes(next[0])) break
        start += tokens.length + (made.length === 1 ? rows : 0)
        if (made.length === 1) executable = await compile(1, false, rows + capacity)
        tokens = Int32Array.of(next[0])
      }
      return Int32Array.from(made)
    }
    return Effect.tryPromise({
      try: run,
      catch: (cause) =>
        cause instanceof ModelError || cause instanceof BackendError
          ? cause
          : new BackendError({ reason: "Run", message: (cause as Error).message, cause }),
    }).pipe(Effect.ensuring(Effect.sync(() => {
      executables.forEach((executable) => executable.dispose())
      for (const { keys, values } of memory.values()) [keys, values].forEach((slot) => backend.free(slot))
    })))
  })
}
