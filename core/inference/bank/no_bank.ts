import * as Effect from "effect/Effect"
import { AdapterError } from "../../contracts/bank/adapter_error.ts"
import type { AdapterBank, BankAdapter } from "../../model/sites/adapter_bank.ts"

const none: BankAdapter = { name: "" }

const lacking = (adapter: string) =>
  new AdapterError({
    reason: "Unknown",
    adapter,
    message:
      `no adapter "${adapter}": the model has no bank of adapters; give the engine one (the option adapters), or ` +
      "take Model.withAdapters",
  })

/** Of a model without a bank: rows have no adapter. */
export const noBank: AdapterBank = {
  slots: 0,
  everyRow: false,
  names: [],
  load: (name) => Effect.fail(lacking(name)),
  unload: (name) => Effect.fail(lacking(name)),
  find: (name) => {
    if (name !== "") throw lacking(name)
    return none
  },
  take: (adapters) => ({ index: new Int32Array(adapters.length), written: Promise.resolve(), release: () => {} }),
  released: () => Promise.resolve(),
  sites: new Map(),
  parameter: () => undefined,
}
