/**
 * Serves a model with its adapters, embeddings and classifiers over HTTP, as OpenAI's clients ask for them.
 *
 * ```sh
 * deno task serve --model ./smollm2 --adapter support=runs/support/adapter
 * deno task serve --embedder ./minilm --port 8001
 * curl localhost:8000/v1/completions -H "content-type: application/json" \
 *   -d '{ "model": "support", "prompt": "My order", "max_tokens": 20 }'
 * ```
 *
 * @module
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Otlp from "effect/observability/Otlp"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as Command from "effect/cli/Command"
import { createServer } from "node:http"
import { field } from "../core/options/mod.ts"
import { MODEL } from "../core/run/mod.ts"
import { DataError, Model, Task } from "../mod.ts"
import { families } from "../plugins/all/mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import type * as Monitor from "../plugins/monitor/mod.ts"
import * as Server from "../plugins/server/mod.ts"
import { machine } from "./machine.ts"
import { monitorPages, readProfiles, watch } from "./monitors.ts"
import { defined, flagsOf, main, RUN_FLAGS } from "./shared.ts"

const { keys: _, models: __, adapterFolders, ...LIMITS } = Server.serverOptions

const TABLE = {
  model: field.text({ absent: "none", doc: "Language model: a directory, GGUF file, or hf:owner/name" }),
  weights: MODEL.weights,
  calls: field.choice(Object.keys(Server.callSpellings), {
    absent: "as its chat template does",
    doc: "How the model writes calls of tools",
  }),
  embedder: field.text({ absent: "none", doc: "Model for /v1/embeddings" }),
  classifier: field.text({ absent: "none", doc: "Model for /v1/classify" }),
  labels: field.list(field.text({}), {
    absent: "those of its config.json",
    doc: "Labels of --classifier and its adapters in the order of their ids, such as ham,spam",
  }),
  adapter: field.list(field.text({ pattern: "^[^=]+=.+$", wanted: "name=folder" }), {
    absent: "none",
    doc: "LoRA adapters as name=folder: of the language model, or without one of the classifier",
  }),
  adapterFolders,
  monitor: field.list(field.text({ pattern: "^[^=]+=.+$", wanted: "name=folder" }), {
    absent: "none",
    doc: "Profiles as name=folder: what the classifier or adapter of that name answers is watched, at /monitor",
  }),
  slots: field.integer({ minimum: 1, default: 8, doc: "Adapters that the backend's memory holds at once" }),
  rank: field.integer({ minimum: 1, default: 16, doc: "The greatest rank of an adapter" }),
  targets: field.list(field.text({}), {
    absent: "what is usual for the model",
    doc: "Modules that adapters may change, or all-linear",
  }),
  dora: field.boolean({ default: false, doc: "Adapters may be DoRA's" }),
  host: field.text({ default: "127.0.0.1", doc: "Address to listen at" }),
  port: field.integer({ minimum: 0, maximum: 65535, default: 8000, doc: "Port to listen at, 0 for any" }),
  keys: field.text({ absent: "none", doc: "File with keys, one a line, one of which every request must have" }),
  rows: field.integer({ minimum: 1, default: 16, doc: "Answers that are written at once" }),
  positions: field.integer({ minimum: 0, default: 0, doc: "Positions that each answer has room for from the start" }),
  maxLength: field.integer({
    minimum: 1,
    absent: "the model's positions",
    doc: "Tokens to which texts of --embedder and --classifier are cut, such as those of the training",
  }),
  queue: field.integer({ minimum: 0, default: 64, doc: "Answers that wait at most; more are refused with 429" }),
  ...LIMITS,
  otlp: field.text({ absent: "none", doc: "Collector for OpenTelemetry, such as http://localhost:4318" }),
  threads: RUN_FLAGS.threads,
}
const flags = flagsOf(TABLE)

/** Values of the flags. */
type Options = Command.Command.Config.Infer<typeof flags>

/** The last part of a path, without the ending of a file. */
const nameOf = (path: string): string => path.replace(/\/+$/, "").replace(/^.*\//, "").replace(/\.gguf$/, "")

/** A model with a bank for adapters, where there are any, or may be. */
const banked = (model: Model.Model, { adapter = [], adapterFolders, slots, rank, targets, dora }: Options) => {
  if (adapter.length + adapterFolders.length === 0) return Effect.succeed(model)
  const [only] = targets?.length === 1 ? targets : []
  const wanted = targets === undefined ? {} : { targets: only === "all-linear" ? only : targets }
  return Model.withAdapters(model, Lora.bank({ slots, rank, dora, ...wanted }))
}

/** Loads the adapters of the flags. */
const withAdapters = (served: Server.Served, { adapter = [] }: Options) =>
  Effect.as(
    Effect.forEach(adapter, (text) => {
      const [name, ...folder] = text.split("=")
      return served.adapters!.load(name, folder.join("="))
    }),
    served,
  )

/** Fails where two of what is served have one name. */
const checkNames = ({ model, embedder, classifier, adapter = [] }: Options) => {
  const all = [
    ...Object.entries(defined({ model, embedder, classifier })).map(([flag, path]) => [`--${flag}`, nameOf(path)]),
    ...adapter.map((text) => ["--adapter", text.split("=")[0]]),
  ]
  for (const [i, [flag, name]] of all.entries()) {
    const before = all.slice(0, i).find(([, other]) => other === name)
    if (before === undefined) continue
    const message =
      `${before[0]} and ${flag} have one name, "${name}": requests could not tell them apart; give one of ` +
      "them another name, of a model that of its folder or file"
    return Effect.fail(new DataError({ reason: "BadInput", message }))
  }
  return Effect.void
}

const served = (options: Options) =>
  Effect.gen(function* () {
    yield* checkNames(options)
    const { model, weights, calls, embedder, classifier, rows, positions, queue } = options
    const reading = { queue, ...defined({ maxLength: options.maxLength }) }
    const profiles = yield* readProfiles(options.monitor ?? [])
    if (profiles.size > 0 && classifier === undefined) {
      const message = "--monitor watches a classifier or its adapters: give --classifier, too"
      return yield* new DataError({ reason: "BadInput", message })
    }
    const all: Array<Server.Served> = []
    let monitors: ReadonlyArray<Monitor.Watched> = []
    if (model !== undefined) {
      const loaded = yield* Model.load(model, { task: Task.causalLM(), weights, frozen: true })
      for (const note of loaded.notes) yield* Console.error(`note: ${note}`)
      const spelling = calls === undefined ? {} : { calls: Server.callSpellings[calls] }
      const own = yield* Server.writer(yield* banked(loaded, options), {
        name: nameOf(model),
        rows,
        positions,
        queue,
        ...spelling,
      })
      all.push(yield* withAdapters(own, options))
    }
    if (embedder !== undefined) {
      // Embeddings do not use the head: it may be any that all families have, and need not be the one of the files.
      const task = Task.classification(["a", "b"])
      const loaded = yield* Model.load(embedder, { task, head: "new", frozen: true })
      all.push(yield* Server.embedder(loaded, { name: nameOf(embedder), ...reading }))
    }
    if (classifier !== undefined) {
      const labels = options.labels ?? (yield* Model.headLabels(classifier, []))
      if (labels === undefined) {
        const message = `${classifier}: its config.json names no classes (id2label); give --labels`
        return yield* new DataError({ reason: "Label", message })
      }
      const loaded = yield* Model.load(classifier, { task: Task.classification(labels), frozen: true })
      for (const note of loaded.notes) yield* Console.error(`note: ${note}`)
      const isFirst = model === undefined
      const own = isFirst ? yield* banked(loaded, options) : loaded
      const one = yield* Server.classifier(own, { name: nameOf(classifier), ...reading })
      const watched = yield* watch(isFirst ? yield* withAdapters(one, options) : one, own, profiles)
      all.push(watched.served)
      monitors = watched.monitors
    }
    if (all.length > 0) return { models: all, monitors }
    return yield* new DataError({
      reason: "BadInput",
      message: "nothing to serve: give --model, --embedder or --classifier",
    })
  })

/** Keys of a file, one a line. */
const keysOf = (path: string | undefined) =>
  Effect.gen(function* () {
    if (path === undefined) return []
    const text = yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(path))
    return text.split("\n").map((line) => line.trim()).filter((line) => line !== "")
  })

/** Milliseconds for which a connection waits for another request: longer than clients and proxies do. */
const KEEP_ALIVE = 75_000

const LOCAL = /^(127(\.\d+){3}|localhost|\[?::1\]?)$/

/** What is measured goes to a collector. All that it needs is said here: none of it comes from the environment. */
const telemetry = (url: string | undefined) =>
  url === undefined ? Layer.empty : Otlp.layer({ baseUrl: url, resource: { serviceName: "espalier" } }).pipe(
    Layer.provide([
      OtlpSerialization.layerJson,
      FetchHttpClient.layer,
      ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} })),
    ]),
  )

const serve = (options: Options) =>
  Effect.gen(function* () {
    const { host, port, adapterFolders, maxBodyBytes, bodySeconds, maxTokens, answerSeconds } = options
    const keys = yield* keysOf(options.keys)
    if (keys.length === 0 && !LOCAL.test(host)) {
      yield* Console.error(`note: anybody who reaches ${host} may use this server: --keys FILE asks for keys`)
    }
    const { models, monitors } = yield* served(options)
    const pages = monitors.length === 0 ? Layer.empty : monitorPages(monitors)
    const answers = Server.layer({
      models,
      keys,
      adapterFolders,
      maxBodyBytes,
      bodySeconds,
      answerSeconds,
      ...defined({ maxTokens }),
    })
    const routes = Layer.merge(answers, pages)
    // It notices of every request that its client left; Deno.serve of Deno 2.9 does not where the body is longer than 1 kB.
    const listen = () => createServer({ keepAliveTimeout: KEEP_ALIVE })
    const server = NodeHttpServer.layer(listen, { host, port, gracefulShutdownTimeout: 1000 * answerSeconds })
    const listening = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true })
    const context = yield* Layer.build(Layer.provideMerge(listening, server)).pipe(
      Effect.catchTag("ServeError", ({ cause }) => {
        const message = `cannot listen at ${host}:${port}: ${(cause as Error).message}; give another --port or --host`
        return Effect.fail(new DataError({ reason: "BadInput", message, cause }))
      }),
    )
    const { address } = Context.get(context, HttpServer.HttpServer)
    yield* Console.log(`serving ${models.map(({ id }) => id)} at ${HttpServer.formatAddress(address)}`)
    return yield* Effect.never
  })

const command = Command.make("serve", flags, (options) => {
  const methods = families.pipe(Layer.provideMerge(machine(options)))
  return serve(options).pipe(Effect.scoped, Effect.provide(Layer.merge(methods, telemetry(options.otlp))))
}).pipe(
  Command.withDescription("Serves models over HTTP as OpenAI's clients ask for them"),
  Command.withExamples([{
    command: "deno task serve --model ./smollm2 --adapter support=runs/support/adapter",
    description: "A model with an adapter",
  }]),
)

if (import.meta.main) main(command)
