/**
 * The run file: one definition that checks it, gives its types, and makes the JSON Schema for editors. Run, this module
 * prints that schema: `deno run examples/run_file.ts > examples/espalier.schema.json`.
 * @module
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type { JsonError, PluginError, Plugins, Trainer } from "../mod.ts"
import * as Adapters from "../plugins/adapters/mod.ts"
import { nearest, parseJson } from "../plugins/authoring/mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import * as PrefixTuning from "../plugins/prefix_tuning/mod.ts"
import * as PromptTuning from "../plugins/prompt_tuning/mod.ts"
import { columnProblems, columnsOf, KINDS } from "./_columns.ts"
import { FORMATS, QUOTES, type Reading } from "./_reading.ts"
import { defined } from "./_shared.ts"
import type { Settings } from "./_train.ts"

/** What a {@link RunFileError} holds. */
export interface RunFileErrorFields {
  /** Kind of failure: the file cannot be read, is no JSON, or says what it must not. */
  readonly reason: "Read" | "Syntax" | "Content"
  /** The file. */
  readonly file: string
  /** Everything that is wrong, each with its place. */
  readonly problems: ReadonlyArray<string>
  /** All of it for people. */
  readonly message: string
}

/** A run file that is not what it must be. Raised before anything is read or made. */
export class RunFileError extends Data.Error<RunFileErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "RunFileError" = "RunFileError"
  /** Shown in stack traces. */
  override readonly name: string = "RunFileError"
}

/** Schemas for all of a type's fields, so that an option that is new in a method shows here. */
type FieldsOf<Options> = { readonly [Name in keyof Required<Options>]: Schema.Codec<Required<Options>[Name], unknown> }

/** All fields of a record may be left out. */
const optional = <Fields extends Record<string, Schema.Codec<unknown, unknown>>>(fields: Fields) =>
  Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, Schema.optionalKey(field)]),
  ) as { readonly [Name in keyof Fields]: Schema.optionalKey<Fields[Name]> }

const described = <S extends Schema.Top>(schema: S, description: string) => schema.annotate({ description })
const flag = (description: string) => described(Schema.Boolean, description)
const text = (description: string) => described(Schema.String, description)
const from = (least: number, description: string) =>
  described(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(least)), description)
const whole = (least: number, description: string) =>
  described(Schema.Int.check(Schema.isGreaterThanOrEqualTo(least)), description)
const share = (description: string) =>
  described(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })), description)
const numbers = Schema.Array(whole(0, "A number from 0"))
const byName = <S extends Schema.Codec<unknown, unknown>>(values: S) => Schema.Record(Schema.String, values)
const names = (description: string) =>
  described(Schema.Union([Schema.String, Schema.Array(Schema.String)]), description)
const name = text("Tells two of one method apart. Default: default")

const TARGETS = "a regular expression for the whole path, names, or all-linear"

const lora: FieldsOf<Lora.LoraOptions> = {
  name,
  r: whole(1, "Rank. Default: 8"),
  loraAlpha: described(Schema.Finite, "The update is scaled by loraAlpha / r. Default: 8"),
  loraDropout: share("Dropout on the input of the update. Default: 0"),
  targetModules: names(`Which modules: ${TARGETS}. Default: what is usual for the family`),
  excludeModules: names(`Modules to leave out: ${TARGETS}. Default: none`),
  bias: described(Schema.Literals(["none", "all", "lora_only"]), "Biases that train. Default: none"),
  useRslora: flag("Scale by loraAlpha / sqrt(r). Default: false"),
  modulesToSave: described(Schema.Array(Schema.String), "Modules that train whole, beside a classifier's head"),
  ownModules: flag("Whether what trains whole is the adapter's own, as in PEFT. Default: false"),
  rankPattern: described(byName(whole(1, "Rank")), "Rank by regular expression for the end of a path"),
  alphaPattern: described(byName(Schema.Finite), "loraAlpha by regular expression for the end of a path"),
  layersToTransform: described(
    Schema.Union([whole(0, "A layer"), numbers]),
    "Numbers of the layers to adapt. Default: all",
  ),
  layersPattern: names("Name of the list of layers. Default: the first number in a path counts"),
  initLoraWeights: described(
    Schema.Union([
      Schema.Boolean,
      Schema.Literals(["gaussian", "orthogonal", "pissa", "olora"]),
      Schema.String.check(
        Schema.isPattern(/^pissa_niter_[1-9]\d{0,3}$/u, { message: "Expected pissa_niter_N" }),
      ) as Schema.Codec<
        `pissa_niter_${number}`
      >,
    ]),
    "How the update starts: true (at zero), false, gaussian, orthogonal, pissa, pissa_niter_N, olora. Default: true",
  ),
  useDora: flag("DoRA: lengths are trained apart from directions. Default: false"),
  loraPlusLrRatio: described(
    Schema.Finite.check(Schema.isGreaterThan(0)),
    "LoRA+: B trains at this multiple of the learning rate. Default: 1",
  ),
}

const adapters: FieldsOf<Adapters.AdapterOptions> = {
  name,
  config: described(
    Schema.Literals(["seq_bn", "double_seq_bn", "par_bn", "scaled_par_bn"]),
    "The architecture that fields come from which are not given. Default: seq_bn",
  ),
  mhAdapter: flag("Whether attention has adapters"),
  outputAdapter: flag("Whether the feed-forward has adapters"),
  reductionFactor: described(
    Schema.Union([Schema.Finite, byName(Schema.Finite)]),
    "Hidden size over bottleneck size: one number, or numbers by layer with default for the others",
  ),
  nonLinearity: text("relu, gelu, gelu_new, silu, swish, tanh, sigmoid, leakyrelu or linear"),
  originalLnBefore: flag("Whether the adapter sees the part's output after the model's own addition and norm"),
  originalLnAfter: flag("Whether the model's own addition and norm follow. Default: true"),
  lnBefore: flag("A norm of the adapter's own on its input. Default: false"),
  lnAfter: flag("A norm of the adapter's own on its output. Default: false"),
  residualBeforeLn: described(
    Schema.Union([Schema.Boolean, Schema.Literals(["post_add"])]),
    "What the adapter's output is added to. Default: true",
  ),
  adapterResidualBeforeLn: flag("Whether that is added before the norm of lnAfter. Default: false"),
  isParallel: flag("Whether the adapter works beside the part, not after it"),
  scaling: described(
    Schema.Union([Schema.Finite, Schema.Literals(["learned", "channel"])]),
    "A factor; learned, one number that starts at 1; or channel, one for each column. Default: 1, in par_bn 4, in scaled_par_bn learned",
  ),
  dropout: share("Dropout on the adapter's output. Default: 0"),
  leaveOut: described(numbers, "Numbers of the layers, from 0, that get no adapter. Default: none"),
  initWeights: described(
    Schema.Literals(["bert", "mam_adapter"]),
    "How weights start. Default: bert, in par_bn and scaled_par_bn mam_adapter",
  ),
  trainable: flag("Whether it trains. Default: true"),
}

const textOrTokens = (description: string) => described(Schema.Union([Schema.String, numbers]), description)

const prefixTuning: FieldsOf<PrefixTuning.PrefixTuningOptions> = {
  name,
  numVirtualTokens: whole(1, "Keys and values before a sequence in every attention. Default: 20"),
  prefixProjection: flag("Whether a network makes the prefix while it trains. Default: false"),
  encoderHiddenSize: whole(1, "Width inside that network. Default: that of an attention's keys"),
  initWeights: described(
    Schema.Literals(["random", "zero", "text"]),
    "How keys and values start. Default: random, or text where there is an initText",
  ),
  initText: textOrTokens("A text to start from, or its token ids"),
}

const promptTuning: FieldsOf<PromptTuning.PromptTuningOptions> = {
  name,
  numVirtualTokens: whole(1, "Rows before the embedded tokens. Default: 20"),
  promptTuningInit: described(
    Schema.Literals(["SAMPLE_VOCAB", "TEXT", "RANDOM"]),
    "How the rows start. Default: SAMPLE_VOCAB, or TEXT where there is a text",
  ),
  promptTuningInitText: textOrTokens("A text to start from, or its token ids"),
  encoderReparameterizationType: described(Schema.Literals(["MLP"]), "P-tuning: a network makes the rows"),
  encoderHiddenSize: whole(1, "Width inside that network. Default: the model's"),
  encoderNumLayers: described(Schema.Literals([2]), "Layers of that network: as PEFT has it, 2"),
}

/** A method by its name in a run file. */
const method = <Name extends string, Fields extends Record<string, Schema.Codec<unknown, unknown>>>(
  name: Name,
  fields: Fields,
) => Schema.Struct({ method: Schema.Literal(name), ...optional(fields) })

/** What `method` may say, and what makes its layer. */
const METHODS = {
  "lora": Lora.layer,
  "adapters": Adapters.layer,
  "prefix-tuning": PrefixTuning.layer,
  "prompt-tuning": PromptTuning.layer,
}

const Method = Schema.Union([
  method("lora", lora),
  method("adapters", adapters),
  method("prefix-tuning", prefixTuning),
  method("prompt-tuning", promptTuning),
])

const cadence = (description: string) =>
  described(Schema.Union([Schema.Literals(["epoch", "never"]), whole(1, "Steps")]), description)

type Training = Omit<
  Trainer.TrainOptions,
  "seed" | "earlyStopping" | "runFolder" | "resume" | "config" | "tokenizer" | "traceStep" | "observe" | "optimizer"
>
const training: FieldsOf<Training & { optimizer: "adamw" | "sgd"; patience: number }> = {
  epochs: whole(0, "Passes over the data. Default: 5"),
  maxSteps: whole(1, "Steps after which training ends. Default: as epochs say"),
  batchSize: whole(1, "Examples of a micro-batch. Default: 16"),
  gradientAccumulationSteps: whole(1, "Micro-batches of a step. Default: 1"),
  learningRate: from(0, "Highest learning rate. Default: 0.003"),
  optimizer: described(Schema.Literals(["adamw", "sgd"]), "Default: adamw"),
  schedule: described(
    Schema.Literals(["linear", "cosine", "constant"]),
    "Course of the learning rate after the warm-up. Default: linear",
  ),
  warmupSteps: whole(0, "Steps over which the learning rate rises; it wins over warmupRatio"),
  warmupRatio: share("The same as a share of all steps. Default: 0.06"),
  weightDecay: from(0, "Weight decay. Default: 0"),
  maxGradNorm: from(0, "Greatest norm of the gradient; 0 leaves it alone. Default: 1"),
  gradientCheckpointing: flag("Less memory, a third more work. Default: false"),
  maxLength: whole(2, "Most tokens of an example; longer texts are cut. Default: 128"),
  packing: flag("Join texts and cut them into blocks of maxLength tokens. Default: false"),
  paddingFree: flag(
    "Examples of a micro-batch in one row, with no padding between them. Default: wherever the model and its methods can",
  ),
  completionOnly: flag("Prompts with completions: learn the completion alone. Default: true"),
  evaluateEvery: cadence("When the rows to choose by are judged. Default: epoch"),
  saveEvery: cadence("When a checkpoint is written. Default: epoch"),
  patience: whole(1, "Stop after so many evaluations without progress. Default: never"),
}

const reading: FieldsOf<Reading> = {
  format: described(Schema.Literals(FORMATS), "Format of the file. Default: as its extension says"),
  delimiter: described(
    Schema.String.check(Schema.isMinLength(1)),
    "What parts the columns of CSV and TSV. Default: as the first line shows",
  ),
  quotes: described(
    Schema.Literals(QUOTES),
    "CSV and TSV: quotes are characters (none) or quote fields (double). Default: auto, as the file shows",
  ),
  header: described(
    Schema.Array(Schema.String).check(Schema.isMinLength(1)),
    "Column names of a file without a header line. Default: its first line",
  ),
  encoding: text("Encoding of the file, such as windows-1252. Default: utf-8, or utf-16 where the file shows it"),
}

/** What a run file says. Paths count from its folder. */
const RunFile = Schema.Struct({
  $schema: Schema.optionalKey(text("Where the JSON Schema for editors lies")),
  model: described(
    Schema.Struct({
      path: text("Hugging Face directory of the base model"),
      weights: Schema.optionalKey(
        described(
          Schema.Literals(["stored", "f32", "bf16", "f16"]),
          "What frozen matrices are kept in. Default: stored",
        ),
      ),
      head: Schema.optionalKey(
        described(
          Schema.Literals(["stored", "new"]),
          "The model's own classifier, or a new one for other labels. Default: stored",
        ),
      ),
    }),
    "The base model",
  ),
  data: described(
    Schema.Struct({
      path: text("CSV, TSV, JSON, JSON Lines or text file"),
      ...optional({
        text: text("Column of the text. Default: text"),
        label: text("Column of the label. Default: label"),
        labels: described(
          Schema.Array(Schema.String).check(Schema.isMinLength(2)),
          "Labels in the order of their ids. Default: those of the model's head, or of the data, sorted",
        ),
        prompt: text("Column of the prompt: learn to complete it"),
        completion: text("Column of the completion"),
        words: text("Column of lists of words: learn a label for each"),
        tags: text("Column of lists of the words' labels"),
        ...reading,
        validation: share("Share of the rows to choose by. Default: 0.1"),
        test: share("Share of the rows to judge by. Default: 0.2"),
      }),
    }),
    "The rows to learn from, and their columns",
  ),
  task: Schema.optionalKey(
    described(
      Schema.Literals(KINDS),
      "What to learn. Default: as the columns say",
    ),
  ),
  methods: described(Schema.Array(Method).check(Schema.isMinLength(1)), "What is trained, in any order"),
  training: Schema.optionalKey(described(Schema.Struct(optional(training)), "How it is trained")),
  seed: Schema.optionalKey(whole(0, "Seed of split, new weights and order. Default: 42")),
  output: text("The run folder"),
}).annotate({ title: "A run of Espalier" })

/** What a run file says. */
export type RunFile = typeof RunFile.Type

/** A JSON Schema, as far as it is walked here. */
interface Node {
  readonly properties?: Readonly<Record<string, Node>>
  readonly additionalProperties?: Node | boolean
  readonly items?: Node
  readonly anyOf?: ReadonlyArray<Node>
  readonly enum?: ReadonlyArray<unknown>
}

/** The JSON Schema of a run file, for editors. */
export const jsonSchema: Readonly<Record<string, unknown>> = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  ...Schema.toJsonSchemaDocument(RunFile, { onExcessProperty: "error" }).schema,
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The part of the schema that a value's place has; of several, the one whose method the value names. */
function nodeAt(root: Node, value: unknown, path: ReadonlyArray<PropertyKey>): Node | undefined {
  let node: Node | undefined = root
  for (const key of path) {
    node = variantOf(node, value)
    node = typeof key === "number" ? node?.items : node?.properties?.[String(key)]
    value = isRecord(value) || Array.isArray(value) ? (value as Record<PropertyKey, unknown>)[key] : undefined
  }
  return variantOf(node, value)
}

const methodsOf = (node: Node | undefined): ReadonlyArray<string> =>
  (node?.anyOf ?? []).flatMap(({ properties }) => (properties?.method?.enum ?? []) as ReadonlyArray<string>)

function variantOf(node: Node | undefined, value: unknown): Node | undefined {
  if (methodsOf(node).length === 0) return node
  const name = isRecord(value) ? value.method : undefined
  return node!.anyOf!.find(({ properties }) => properties?.method?.enum?.includes(name)) ?? node
}

const placeOf = (path: ReadonlyArray<PropertyKey>): string =>
  path.map((key, i) => typeof key === "number" ? `[${key}]` : i === 0 ? String(key) : `.${String(key)}`).join("")

const valueAt = (root: unknown, path: ReadonlyArray<PropertyKey>): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], root)

/** What is wrong with a value, each fault with its place and, where a name is unknown, the nearest known one. */
function problemsOf(issue: SchemaIssue.Issue, root: unknown): ReadonlyArray<string> {
  const byPlace = Map.groupBy(
    SchemaIssue.makeFormatterStandardSchemaV1()(issue).issues.map(({ message, path = [] }) => ({
      message,
      path: path.map((part) => typeof part === "object" ? part.key : part),
    })),
    ({ path }) => placeOf(path),
  )
  return [...byPlace].map(([place, found]) => {
    const [{ path }] = found
    const messages = found.map(({ message }) => message.charAt(0).toLowerCase() + message.slice(1))
    const value = valueAt(root, path)
    const near = (name: unknown, known: ReadonlyArray<string>) =>
      `; the nearest known one is "${nearest(String(name), known)}"`
    if (messages.includes("expected no excess property")) {
      const known = Object.keys(nodeAt(jsonSchema, root, path.slice(0, -1))?.properties ?? {})
      return `${place}: there is no such field${near(path.at(-1), known)}`
    }
    const methods = methodsOf(nodeAt(jsonSchema, root, path))
    if (methods.length > 0) {
      if (!isRecord(value)) return `${place}: expected an object with a method, got ${JSON.stringify(value)}`
      return value.method === undefined
        ? `${place}.method: it is missing; known methods are ${methods.join(", ")}`
        : `${place}.method: there is no method ${JSON.stringify(value.method)}${near(value.method, methods)}`
    }
    if (messages.includes("missing key")) return `${place}: it is missing`
    return `${place === "" ? "the file" : place}: ${messages.join(" or ")}, got ${JSON.stringify(value)}`
  })
}

/** Checks the content of a run file. */
export const decodeRunFile = (content: unknown, file: string): Effect.Effect<RunFile, RunFileError> =>
  Schema.decodeUnknownEffect(RunFile, { errors: "all", onExcessProperty: "error" })(content).pipe(
    Effect.mapError(({ issue }) => problemsOf(issue, content)),
    Effect.filterOrFail(
      ({ data, task }) => columnProblems(data, task).length === 0,
      ({ data, task }) => columnProblems(data, task),
    ),
    Effect.mapError((problems) =>
      new RunFileError({ reason: "Content", file, problems, message: [`${file}:`, ...problems].join("\n  ") })
    ),
  )

/** Reads a run file and checks it. */
export const readRunFile = (file: string): Effect.Effect<RunFile, RunFileError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const wrong = (reason: RunFileError["reason"], message: string) =>
      new RunFileError({ reason, file, problems: [message], message })
    const content = yield* fs.readFileString(file).pipe(
      Effect.mapError(({ message }) => wrong("Read", `${file} cannot be read: ${message}`)),
    )
    const value = yield* Effect.try({ try: () => parseJson(content, file), catch: (error) => error as JsonError }).pipe(
      Effect.mapError(({ message }) => wrong("Syntax", message)),
    )
    return yield* decodeRunFile(value, file)
  })

/** The methods' layer. Set-up fails with {@link PluginError} on options that make no sense together. */
export type Methods = Layer.Layer<never, PluginError, Plugins.Plugins | FileSystem.FileSystem>

/** The layers of a run file's methods. */
export const layersOf = ({ methods }: RunFile): ReadonlyArray<Methods> =>
  methods.map(({ method, ...options }) => (METHODS[method] as (options: object) => Methods)(options))

/** What the examples' common path is to do; paths count from the run file's folder. */
export const settingsOf = (
  run: RunFile,
  file: string,
  flags: Pick<Settings, "resume" | "overwrite" | "trace">,
): Effect.Effect<Settings, never, Path.Path> =>
  Effect.map(Effect.service(Path.Path), (path) => {
    const at = (place: string) => path.isAbsolute(place) ? place : path.join(path.dirname(file), place)
    const { model, task, methods, seed = 42 } = run
    const {
      path: data,
      validation = 0.1,
      test = 0.2,
      labels,
      format,
      delimiter,
      quotes,
      header,
      encoding,
      ...columns
    } = run.data
    const reading = defined({ format, delimiter, quotes, header, encoding })
    const { patience, ...given } = run.training ?? {}
    return {
      title: `${methods.map(({ method }) => method).join(" and ")} on ${data}`,
      model: at(model.path),
      weights: model.weights ?? "stored",
      head: model.head ?? "stored",
      data: at(data),
      columns: columnsOf(data, task, columns, format),
      reading,
      labels,
      task,
      validation,
      test,
      training: { epochs: 5, batchSize: 16, learningRate: 3e-3, warmupRatio: 0.06, maxLength: 128, ...given },
      patience,
      seed,
      output: at(run.output),
      // By name, since their order in the file says nothing.
      config: {
        options: Object.fromEntries(
          methods.map(({ method, name = "default", ...options }) => [`${method} ${name}`, options]),
        ),
      },
      ...flags,
    }
  })

if (import.meta.main) console.log(JSON.stringify(jsonSchema, null, 2))
