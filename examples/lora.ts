/**
 * Fine-tunes a model with LoRA on your own data: labelled texts or words (classification), prompts with completions, or
 * plain texts (language modelling). Without flags: the included model on the SMS Spam Collection.
 *
 * ```sh
 * deno task lora --model ./smollm2 --data reviews.csv --text review --label stars
 * ```
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import { field, type ValueOf } from "../core/options/mod.ts"
import {
  DATA,
  type DataSpec,
  formatField,
  layersOf,
  MODEL,
  resolveRun,
  type RunMethods,
  runProblems,
  type RunSpec,
  runTable,
  TRAINING,
} from "../core/run/mod.ts"
import { DataError, type Model } from "../mod.ts"
import { families, READERS } from "../plugins/all/mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import { machine } from "./machine.ts"
import { beside, defined, flagsOf, main, namesOf, RUN_FLAGS, train } from "./shared.ts"

export const METHODS = { lora: Lora }
const { path: modelPath, ...model } = MODEL
const { path: dataPath, ...data } = DATA
const { gradientAccumulationSteps: accumulation, ...training } = TRAINING
const { r: rank, loraAlpha, loraDropout, targetModules } = Lora.options
const { task, generalText, seed } = runTable(METHODS)

/** Its flags. */
export const TABLE = {
  model: field.text({
    default: beside("./models/espalier-1m"),
    absent: "the included one",
    doc: modelPath.doc!,
  }),
  ...model,
  data: field.text({ default: beside("./data/sms_spam.tsv"), absent: "the SMS Spam Collection", doc: dataPath.doc! }),
  ...data,
  format: formatField(READERS),
  delimiter: { ...data.delimiter, doc: 'Delimiter of CSV and TSV; "tab" is accepted' },
  task,
  ...training,
  accumulation,
  balance: field.boolean({ default: false, doc: "Report how answers change with words of groups of people" }),
  rank,
  alpha: { ...loraAlpha, default: 16, doc: "LoRA alpha; the update is scaled by alpha / rank" },
  dropout: { ...loraDropout, default: 0.1 },
  targetModules: { ...targetModules, doc: "Names separated by commas, a regular expression, or all-linear" },
  generalText,
  seed,
  output: field.text({ default: "runs/demo", doc: "Run folder" }),
  ...RUN_FLAGS,
}
const flags = flagsOf(TABLE)

/** Values of the flags. */
export type Options = Command.Command.Config.Infer<typeof flags>

const targetsOf = (text: string) => text === "all-linear" || /[*+?()[\]\\|^$]/.test(text) ? text : namesOf(text)

/** The options that a table has. */
const part = <T extends object>(table: T, options: Partial<{ [Name in keyof T]: ValueOf<T[Name]> | undefined }>) =>
  defined(Object.fromEntries(Object.keys(table).map((name) => [name, options[name as keyof T]]))) as {
    [Name in keyof T]?: ValueOf<T[Name]>
  }

/** What the included data does not show: its columns, and that quotes are characters. */
const includedColumns = ({ data, task, ...options }: Options): Partial<DataSpec> => {
  const { prompt, completion, source, target, words, tags } = options
  if (!data.endsWith("sms_spam.tsv")) return {}
  const others = [prompt, completion, source, target, words, tags]
  if (others.some((column) => column !== undefined)) return { quotes: "none" }
  const labelled = task === undefined || task === "classification"
  return { quotes: "none", text: "SMS", ...labelled ? { label: "Label" } : {} }
}

/** The run that the flags say. */
export const specOf = (options: Options): RunSpec => {
  const {
    model: path,
    rank,
    alpha,
    dropout,
    targetModules: targets,
    accumulation,
    task,
    generalText,
    balance,
    seed,
    output,
  } = options
  const delimiter = options.delimiter === "tab" || options.delimiter === "\\t" ? "\t" : options.delimiter
  return {
    model: { path, ...part(model, options) },
    data: { path: options.data, ...includedColumns(options), ...part(data, { ...options, delimiter }) },
    ...defined({ task, generalText }),
    ...balance ? { balance } : {},
    methods: [{
      method: "lora",
      r: rank,
      loraAlpha: alpha,
      loraDropout: dropout,
      ...defined({ targetModules: typeof targets === "string" ? targetsOf(targets) : targets }),
    }],
    training: { ...part(training, options), gradientAccumulationSteps: accumulation },
    seed,
    output,
  }
}

/** Trains as a specification says. `ending` is done with the trained model. */
export const runSpec = <E = never, R = never>(
  spec: RunSpec,
  known: RunMethods,
  options: Pick<Options, "resume" | "overwrite" | "trace" | "threads">,
  ending: (model: Model.Model) => Effect.Effect<void, E, R> = () => Effect.void,
) =>
  Effect.gen(function* () {
    const problems = runProblems(spec, known, READERS)
    if (problems.length > 0) return yield* new DataError({ reason: "BadInput", message: problems.join("\n") })
    const base = machine(options)
    const methods = Layer.mergeAll(families, ...layersOf(spec.methods, known)).pipe(Layer.provideMerge(base))
    return yield* train(yield* resolveRun(spec, "", READERS), options).pipe(
      Effect.flatMap(({ model }) => ending(model)),
      Effect.scoped,
      Effect.provide(methods),
    )
  })

const command = Command.make("lora", flags, (options) => runSpec(specOf(options), METHODS, options)).pipe(
  Command.withDescription("Fine-tunes a model with LoRA on your own data"),
  Command.withExamples([{
    command: "deno task lora --model ./smollm2 --data reviews.csv --text review --label stars",
    description: "A classifier of reviews",
  }]),
)

if (import.meta.main) main(command)
