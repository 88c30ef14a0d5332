import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { AdapterError } from "../../../core/contracts/bank/adapter_error.ts"
import type { AdapterFiles, BankContext, BankMethod, BankValues } from "../../../core/contracts/bank/bank_method.ts"
import type { ArtifactFiles } from "../../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../../core/contracts/module_info.ts"
import type { Parameter } from "../../../core/contracts/parameter.ts"
import type { Site } from "../../../core/contracts/site.ts"
import { linearByRow } from "../../../core/model/sites/linear_by_row.ts"
import { CONFIG_FILE, HEADS, isHeldWhole, WEIGHTS_FILE } from "../../peft_names/mod.ts"
import { checkOptions } from "../../../core/options/method_options.ts"
import { withDefaults } from "../../../core/options/check.ts"
import type { OptionTable } from "../../../core/options/field.ts"
import * as field from "../../../core/options/fields.ts"
import { adapterFault, toAdapterFault } from "../adapter_fault.ts"
import { decodePromptConfig } from "./prompt_config.ts"
import { decodePrompt } from "./prompt_files.ts"
import type { PromptMethod } from "./prompt_method.ts"
import { readPrompt } from "./read_prompt.ts"

/** Options of a bank of virtual tokens. */
export interface PromptBankOptions {
  /** Adapters that the backend's memory holds at once. Default 8. */
  readonly slots?: number
  /** Number of virtual tokens of every adapter. Default 20. */
  readonly numVirtualTokens?: number
}

/** {@link PromptBankOptions} as a table. */
export const PROMPT_BANK_OPTIONS: OptionTable<PromptBankOptions> = {
  slots: field.integer({ minimum: 1, default: 8, doc: "Adapters that memory holds at once" }),
  numVirtualTokens: field.integer({ minimum: 1, default: 20, doc: "Virtual tokens of every adapter" }),
}

/**
 * A bank of virtual tokens of one number, with heads of classifiers. Every row names one: no keys and values are as none.
 * Throws PluginError on options that make no sense.
 *
 * @param methodFor The method, without a network, of a number of tokens.
 */
export function promptBank(
  id: string,
  options: PromptBankOptions,
  methodFor: (numVirtualTokens: number) => PromptMethod,
): BankMethod {
  checkOptions(id, PROMPT_BANK_OPTIONS, options)
  const { slots, numVirtualTokens } = withDefaults(PROMPT_BANK_OPTIONS, options)
  const method = methodFor(numVirtualTokens)
  return {
    id,
    slots,
    everyRow: true,
    sites: ({ modules, head }) => {
      const isWhole = (module: ModuleInfo) => isHeldWhole(module, head)
      const heads: Site = { select: isWhole, plan: linearByRow }
      return Effect.succeed(modules.some(isWhole) ? [...method.sites, heads] : method.sites)
    },
    read: (name, files, wanted, model) => readForBank({ id, method, name, files, wanted, model }),
  }
}

interface Asked {
  readonly id: string
  readonly method: PromptMethod
  readonly name: string
  readonly files: AdapterFiles
  readonly wanted: ReadonlyArray<Parameter>
  readonly model: BankContext
}

function readForBank(asked: Asked): Effect.Effect<BankValues, AdapterError, FileSystem.FileSystem> {
  const { name, files, method: { types } } = asked
  const read: Effect.Effect<ArtifactFiles, unknown, FileSystem.FileSystem> = typeof files === "string"
    ? Effect.map(readPrompt(files, "default", types), ({ files }) => files)
    : Effect.succeed(files)
  return Effect.mapError(read, toAdapterFault(name, "Files")).pipe(
    Effect.flatMap((files) => Effect.try({ try: () => valuesOf(asked, files), catch: toAdapterFault(name, "Base") })),
  )
}

/** Values of the bank's parameters. Throws. */
function valuesOf({ id, method, name, wanted, model }: Asked, files: ArtifactFiles): BankValues {
  const { types, numVirtualTokens } = method
  const missing = [CONFIG_FILE, WEIGHTS_FILE].find((file) => !(files[file] instanceof Uint8Array))
  if (missing !== undefined) throw adapterFault(name, "Files", `its files lack the bytes of ${missing}`)
  const config = decodePromptConfig(new TextDecoder().decode(files[CONFIG_FILE]), CONFIG_FILE, types)
  if (config.numVirtualTokens !== numVirtualTokens) {
    throw adapterFault(
      name,
      "Size",
      `it has ${config.numVirtualTokens} virtual tokens, those of the bank have ${numVirtualTokens}`,
    )
  }
  const own = wanted.filter((parameter) => parameter.owner === id && !isOfWhole(parameter, model))
  const base = wanted.filter((parameter) => isOfWhole(parameter, model)).map((parameter) => ({
    ...parameter,
    owner: "base",
    key: `${parameter.module}.${parameter.name}`,
    // What lies before a head may start anew.
    trainable: HEADS.some((head) => parameter.module.endsWith(head)),
  }))
  const fields = method.modelFields(model.modules)
  const found = decodePrompt("default", files, {
    id: `adapter "${name}"`,
    types,
    fields,
    shape: [numVirtualTokens, method.width(fields)],
    isOfTwoParts: model.modules.some(({ side }) => side !== undefined),
    base,
  })
  const tensors = new Map([["embedding.weight", found.promptEmbeddings]])
  const keys = new Map(wanted.map((parameter) => [`${parameter.module}.${parameter.name}`, parameter]))
  const heads = found.base.map(({ parameter: { key }, data }) => ({ parameter: keys.get(key)!, data }))
  return {
    values: [...method.fromPeft(tensors, own), ...heads],
    ...(heads.length === 0 || model.head.kind === "vocabulary" ? {} : { classes: model.head.size }),
    notes: config.notes ?? [],
  }
}

function isOfWhole({ module }: Parameter, { modules, head }: BankContext): boolean {
  return modules.some((one) => one.path === module && isHeldWhole(one, head))
}
