import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { withAdapters } from "../../core/inference/bank/open_bank.ts"
import type { Model } from "../../core/model/model.ts"
import type { Prediction } from "../../core/tasks/task.ts"
import { embed } from "../../core/training/embed.ts"
import { predict } from "../../core/training/evaluate.ts"
import type { Message } from "../chat/mod.ts"
import { bank } from "../lora/mod.ts"
import type { Place } from "./files/place.ts"
import { type Files, placeOf } from "./files/place_of.ts"
import { InferenceError, toInferenceError } from "./inference_error.ts"
import type { LoadedModel } from "./loaded_model.ts"
import { type Answering, answering, type Opened } from "./open_model.ts"
import {
  ADAPTER_OPTIONS,
  type AdapterOptions,
  type BankOptions,
  checkName,
  checkOptions,
  type ClassifyOptions,
  type EmbedOptions,
  type GenerateOptions,
} from "./options.ts"
import { checkTexts } from "./prompts.ts"
import type { Held } from "./runtime.ts"
import { whileWanted } from "./files/while_wanted.ts"
import { write } from "./write.ts"

const freed = (cause?: unknown) => new InferenceError("Freed", "the model was freed: load it again", { cause })

/** A model, and what answers for it: it alone, then, from the first adapter on, it with a bank of adapters. */
export class Loaded implements LoadedModel {
  readonly #opened: Opened
  readonly #places: Map<string, Place>
  readonly #options: BankOptions
  #answering: Held<Answering>
  #banked: Promise<void> | undefined
  #freeing: Promise<void> | undefined
  /** Texts that are being written, by what answers. */
  readonly #writing = new Map<Held<Answering>, number>()

  static async make(opened: Opened, places: Map<string, Place>, options: BankOptions = {}, signal?: AbortSignal) {
    try {
      const held = await opened.runtime.hold(answering(opened, Effect.succeed(opened.model)), signal)
      return new Loaded(opened, places, options, held)
    } catch (error) {
      await opened.runtime.close()
      throw error
    }
  }

  private constructor(opened: Opened, places: Map<string, Place>, options: BankOptions, held: Held<Answering>) {
    this.#opened = opened
    this.#places = places
    this.#options = options
    this.#answering = held
  }

  get does() {
    return this.#opened.does
  }

  get labels() {
    return this.does === "classify" ? this.#opened.model.task.labels ?? [] : []
  }

  get backend() {
    return this.#opened.backend
  }

  get chats() {
    return this.#opened.prompts.chats
  }

  get notes() {
    return [...this.#opened.model.notes, ...this.#opened.prompts.notes]
  }

  get adapters() {
    return [...this.#answering.value.model.bank?.names ?? []]
  }

  async adapter(name: string, files: Files, options: AdapterOptions = {}) {
    await this.#guarded(options.signal, async () => {
      checkName(name)
      const { labels, ...fetching } = checkOptions(ADAPTER_OPTIONS, options)
      await whileWanted(options.signal, async (signal) => {
        const place = await placeOf(files, { ...fetching, signal })
        await (this.#banked ??= this.#makeBank())
        const directory = `adapters/${name}`
        this.#places.set(directory, place)
        const own = labels === undefined ? {} : { labels }
        const loading = this.#answering.value.model.bank!.load(name, directory, { ...own, replace: true })
        await this.#opened.runtime.run(loading, signal).finally(() => this.#places.delete(directory))
      })
    })
  }

  async removeAdapter(name: string) {
    await this.#guarded(undefined, async () => {
      this.#checkAdapter(name)
      await this.#opened.runtime.run(this.#answering.value.model.bank!.unload(name))
    })
  }

  async *generate(prompt: string | ReadonlyArray<Message>, options: GenerateOptions = {}) {
    const held = this.#answering
    this.#count(held, 1)
    try {
      const { adapter, signal, ...own } = options
      const { prompts, runtime, model: { task } } = this.#opened
      const text = await this.#guarded(signal, async () => {
        const { engine } = held.value
        if (engine === undefined) {
          throw new InferenceError("Options", `generate needs a language model, and this one's task is ${task.kind}`)
        }
        this.#checkAdapter(adapter)
        const ids = await runtime.run(prompts.of(prompt), signal)
        const row = adapter === undefined ? own : { ...own, adapter }
        return write(engine, prompts.tokenizer, ids, row, signal)
      })
      try {
        for (;;) {
          const { done, value } = await this.#guarded(signal, () => text.next())
          if (done) return
          yield value!
        }
      } finally {
        await text.return()
      }
    } finally {
      this.#count(held, -1)
    }
  }

  async classify(texts: ReadonlyArray<string>, options: ClassifyOptions = {}): Promise<ReadonlyArray<Prediction>> {
    return await this.#judged(texts, options, (model, options) => predict(model, texts, options))
  }

  async embed(texts: ReadonlyArray<string>, options: EmbedOptions = {}): Promise<ReadonlyArray<Float32Array>> {
    return await this.#judged(texts, options, (model, options) => embed(model, texts, options))
  }

  async free() {
    await (this.#freeing ??= this.#opened.runtime.close())
  }

  /** Runs a call; what it throws is an {@link InferenceError}, or the reason of its signal. */
  async #guarded<A>(signal: AbortSignal | undefined, work: () => Promise<A>): Promise<A> {
    if (this.#freeing !== undefined) throw freed()
    signal?.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      if (signal?.aborted && error === signal.reason) throw error
      throw this.#freeing === undefined ? toInferenceError(error) : freed(error)
    }
  }

  #checkAdapter(adapter: string | undefined): void {
    if (adapter === undefined || this.adapters.includes(adapter)) return
    const message = `there is no adapter "${adapter}"; loaded are: ${this.adapters.join(", ") || "none"}`
    throw new InferenceError("Options", message)
  }

  /** Answers for texts through an adapter. */
  async #judged<A, E>(
    texts: ReadonlyArray<string>,
    { adapter, signal, ...own }: EmbedOptions,
    judge: (model: Model, options: object) => Effect.Effect<A, E, FileSystem.FileSystem>,
  ): Promise<A> {
    return await this.#guarded(signal, async () => {
      checkTexts(texts)
      this.#checkAdapter(adapter)
      const { model } = this.#answering.value
      // Rows without an adapter go through the same program, so that switching compiles nothing.
      const choice = model.bank === undefined ? {} : { adapters: texts.map(() => adapter ?? "") }
      const { prompts: { tokenizer }, runtime } = this.#opened
      return await runtime.run(judge(model, { ...own, ...choice, tokenizer }), signal)
    })
  }

  async #makeBank() {
    try {
      const { runtime, model } = this.#opened
      const old = this.#answering
      const make = Effect.suspend(() => withAdapters(model, bank({ targets: "all-linear", ...this.#options })))
      this.#answering = await runtime.hold(answering(this.#opened, make))
      this.#count(old, 0)
    } catch (error) {
      this.#banked = undefined
      throw error
    }
  }

  /** Counts texts that are being written; what answers no more is freed after its last one. */
  #count(held: Held<Answering>, more: number) {
    const count = (this.#writing.get(held) ?? 0) + more
    this.#writing.set(held, count)
    if (count > 0 || held === this.#answering) return
    this.#writing.delete(held)
    void held.close()
  }
}
