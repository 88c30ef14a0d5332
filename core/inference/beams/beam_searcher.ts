/**
 * Beam search over a model's cache: a row of it for each beam.
 * @module
 */
import { chooseByRow } from "../../model/sites/choose_by_row.ts"
import type { Model } from "../../model/model.ts"
import { ModelError } from "../../model/model_error.ts"
import { type Beam, type BeamOptions, type Found, type Search, searchBeams } from "./beam_search.ts"
import { makeDecoder } from "../decoder/decoder.ts"
import type { Variant } from "../decoder/last_logits.ts"
import { type RowOptions, wrongRow, wrongWriter } from "../engine.ts"
import { perModel } from "../programs.ts"
import { discourageRepetition } from "../sampler.ts"

/** A prompt to search from. */
export interface BeamPrompt extends Omit<Search, "text"> {
  readonly prompt: ArrayLike<number>
  /** Index of its plugin in the choice. */
  readonly plugin: number
}

/** Searches one prompt after the other. */
export interface BeamSearcher {
  /** The texts for a prompt, best first, without what they began with. */
  readonly search: (prompt: BeamPrompt) => Promise<ReadonlyArray<Found<ReadonlyArray<number>>>>
  /** Frees programs and cache. */
  readonly free: () => void
}

/** A model's searcher that all calls with these options share. */
export const beamSearcher: (model: Model, options: Variant) => BeamSearcher = perModel(
  makeBeamSearcher,
  ({ free }) => free(),
)

function makeBeamSearcher(model: Model, variant: Variant): BeamSearcher {
  const decoder = makeDecoder(model, variant)
  /** Puts a prompt in the first row. Gives the logits of the next token. */
  const readWhole = async (prompt: ArrayLike<number>, plugin: number): Promise<Float32Array> => {
    for (let read = 0;;) {
      const [part] = await decoder.read([{ slot: 0, prompt, read, plugin, adapter: 0 }])
      if (part.logits !== undefined) return part.logits
      read = part.read
    }
  }
  const search: BeamSearcher["search"] = async ({ prompt, plugin, ...own }) => {
    const text = decoder.startOf(prompt)
    await decoder.reserve({
      rows: own.numBeams,
      positions: decoder.before + text.length + own.maxNewTokens,
      prompt: prompt.length,
    })
    /** Puts what beams go on with in their rows; at first all are copies of the prompt's. */
    const next = async (beams: ReadonlyArray<Beam>) => {
      const isFirst = beams[0].text.length === text.length
      if (isFirst) return [await readWhole(prompt, plugin)]
      const from = beams.map(({ parent }) => parent)
      const spreads = beams[0].text.length === text.length + 1
      if (spreads || from.some((row, slot) => row !== slot)) await decoder.reorder(from, spreads)
      return decoder.append(beams.map(({ text }, slot) => ({
        slot,
        token: text.at(-1)!,
        cached: decoder.before + text.length - 1,
        plugin,
        adapter: 0,
      })))
    }
    return await searchBeams({ ...own, text }, next)
  }
  // The decoder's runs follow each other.
  let last: Promise<unknown> = Promise.resolve()
  return {
    search: (prompt) => {
      const found = last.then(() => search(prompt))
      last = found.catch(() => {})
      return found
    },
    free: decoder.free,
  }
}

/** Options of {@link searched}. */
export interface SearchedOptions extends RowOptions, BeamOptions {
  /** False takes the base model. Default true. */
  readonly methods?: boolean
  /** The plugin that each prompt goes through. Default: every prompt goes through all plugins. */
  readonly plugins?: ReadonlyArray<string>
}

/** The texts for each of some prompts, best first. Throws {@link ModelError} or PluginError. */
export async function searched(
  model: Model,
  prompts: ReadonlyArray<Int32Array>,
  { methods = true, plugins, numBeams = 1, lengthPenalty = 1, earlyStopping = false, ...row }: SearchedOptions,
  signal: AbortSignal,
): Promise<ReadonlyArray<ReadonlyArray<Found<Int32Array>>>> {
  const wrong = wrongWriter(model) ?? wrongBeams({ numBeams, lengthPenalty, earlyStopping }, row, model) ??
    prompts.map((prompt) => wrongRow(model, prompt, row)).find((one) => one !== undefined)
  if (wrong !== undefined) throw new ModelError({ reason: "Unsupported", message: wrong })
  const choice = plugins === undefined ? undefined : chooseByRow(model, plugins)
  const searcher = beamSearcher(model, {
    methods,
    ...(choice === undefined ? {} : { choice: { plugins: choice.plugins } }),
  })
  const { maxNewTokens = 64, stop = [] } = row
  const process: Search["process"] = (scores, text) => discourageRepetition(scores, text, row)
  const made: Array<ReadonlyArray<Found<Int32Array>>> = []
  for (const [i, prompt] of prompts.entries()) {
    if (signal.aborted) break
    const plugin = choice?.index[i] ?? 0
    const own = { prompt, plugin, numBeams, lengthPenalty, earlyStopping, maxNewTokens, stop, process }
    const found = await searcher.search(own)
    made.push(found.map(({ text, score }) => ({ text: Int32Array.from(text), score })))
  }
  return made
}

/** What is wrong with options of a search, or nothing. */
function wrongBeams(
  { numBeams, lengthPenalty, earlyStopping }: Required<BeamOptions>,
  { temperature = 0, stop = [] }: RowOptions,
  { network: { vocabSize } }: Model,
): string | undefined {
  const most = Math.floor(vocabSize / Math.max(2, 1 + stop.length))
  if (!(Number.isSafeInteger(numBeams) && numBeams >= 1 && numBeams <= most)) {
    return `numBeams must be a whole number from 1 to ${most}, got ${numBeams}`
  }
  if (!Number.isFinite(lengthPenalty)) return `lengthPenalty must be a number, got ${lengthPenalty}`
  if (![true, false, "never"].includes(earlyStopping)) {
    return `earlyStopping must be true, false or "never", got ${JSON.stringify(earlyStopping)}`
  }
  if (temperature !== 0) {
    return `temperature is for draws, and ${numBeams} beams search: leave it out, got ${temperature}`
  }
}
