import { READERS } from "../data/readers/builtin.ts"
import type { Reader } from "../data/readers/reader.ts"
import type { ReadOptions } from "../data/table/read_options.ts"
import type { Paths } from "../data/table/paths.ts"
import { SPLIT_OPTIONS } from "../data/split/split.ts"
import { LOAD_OPTIONS, type LoadOptions, NAMED_WEIGHTS } from "../model/load/load_options.ts"
import type { Field, OptionTable } from "../options/field.ts"
import * as field from "../options/fields.ts"
import { TRAIN_OPTIONS, type TrainOptions } from "../training/options.ts"
import { type ColumnNames, type Kind, KINDS } from "./columns.ts"
import { methodField, type MethodSpec, type RunMethods } from "./methods.ts"

/** The base model. */
export interface ModelSpec extends Pick<LoadOptions, "head"> {
  /** Hugging Face directory, GGUF file, or a name on a hub. */
  readonly path: string
  /** What frozen matrices are kept in, as in {@link LoadOptions}. Default `"stored"`. */
  readonly weights?: Extract<LoadOptions["weights"], string>
}

/** The rows to learn from, and their columns. */
export interface DataSpec extends ColumnNames, Omit<ReadOptions, "readers"> {
  /** CSV, TSV, JSON, JSON Lines or text file, or another that a reader of the program knows; also several, and globs. */
  readonly path: Paths
  /** Labels in the order of their ids. Default: those of the model's head, or of the data, sorted. */
  readonly labels?: ReadonlyArray<string>
  /** Further columns, of numbers, that methods read. Default: none. */
  readonly numbers?: ReadonlyArray<string>
  /** Of chats, the answers that are trained on. Default `"all"`. */
  readonly turns?: "all" | "last"
  /** Of chats, a file with a chat template in the place of the model's. Default: the model's. */
  readonly template?: string
  /** Share of the rows for validation, [0, 1). Default 0.1. */
  readonly validation?: number
  /** Share of the rows for the test, [0, 1). Default 0.2. */
  readonly test?: number
  /** Read the rows while the model trains, for files that are larger than memory. Default false. */
  readonly stream?: boolean
  /** Rows of a stream in memory at a time, for training, validation and test each. Default 4096. */
  readonly window?: number
}

/** Options of training that JSON can hold, with defaults for small data. */
export interface TrainingSpec extends
  Omit<
    TrainOptions,
    | "seed"
    | "retain"
    | "earlyStopping"
    | "runFolder"
    | "resume"
    | "config"
    | "tokenizer"
    | "traceStep"
    | "observe"
    | "optimizer"
  > {
  /** Optimizer. Default `"adamw"`. */
  readonly optimizer?: "adamw" | "sgd"
  /** Stop after this many evaluations without progress. Default: never. */
  readonly patience?: number
}

/** One of several tasks over one trunk. */
export interface TaskSpec {
  /** Its rows, and their columns. */
  readonly data: DataSpec
  /** What it is. Default: given by the columns. */
  readonly task?: Kind
}

/** Old rows, and their columns; their labels are those of the run's own rows. */
export type OldRowsSpec = Omit<DataSpec, "labels" | "validation" | "test" | "stream" | "window">

/** Words by group by what the groups differ in; those at one place of all lists of an axis are swapped for each other. */
export type GroupWords = Readonly<Record<string, Readonly<Record<string, ReadonlyArray<string>>>>>

/** A training run as plain data: of one task, with `data`, or of several, with `tasks`. */
export interface RunSpec {
  /** Address of the JSON Schema, for editors. */
  readonly $schema?: string
  /** The base model. */
  readonly model: ModelSpec
  /** The rows to learn from, of a run of one task. */
  readonly data?: DataSpec
  /** What the one task is. Default: given by the columns. */
  readonly task?: Kind
  /** Two or more tasks by name, each with rows, labels and a head of its own. */
  readonly tasks?: Readonly<Record<string, TaskSpec>>
  /**
   * Old rows by name, on which the model is judged before and after: what it forgets. Some methods read them. In a run of
   * several tasks the names are tasks. Default: none.
   */
  readonly retain?: Readonly<Record<string, OldRowsSpec>>
  /** Old rows by name that a run of one task trains on beside its own, which are named `new`. Default: none. */
  readonly replay?: Readonly<Record<string, OldRowsSpec>>
  /**
   * Plain text, a document a line, on which a language model is judged before and after: what it forgets. `"none"`: it is
   * not. Default: twelve paragraphs of this package.
   */
  readonly generalText?: string
  /**
   * Report how answers change where words of one group of people take the place of another's: true for the lists of the program,
   * or lists of words by group by what they differ in. Default: no.
   */
  readonly balance?: boolean | GroupWords
  /** Methods, in any order. */
  readonly methods: ReadonlyArray<MethodSpec>
  /** Options of training. */
  readonly training?: TrainingSpec
  /** Seed of split, new weights and order. Default 42. */
  readonly seed?: number
  /** The run folder. */
  readonly output: string
}

/** {@link ModelSpec} as a table. */
export const MODEL: OptionTable<ModelSpec> = {
  path: field.text({ required: true, doc: "Hugging Face directory of the base model, a GGUF file, or hf:owner/name" }),
  weights: NAMED_WEIGHTS,
  head: LOAD_OPTIONS.head,
}

/** The format of a file: that of one of these readers, or of this package. */
export function formatField(readers: ReadonlyArray<Reader>): Field<string> {
  const names = [...readers, ...READERS].map(({ name }) => name)
  return field.choice(names, { absent: "from its content or extension", doc: "Format of the file" })
}

/** {@link DataSpec} as a table. */
export const DATA: OptionTable<DataSpec, Exclude<keyof DataSpec, "validation" | "test" | "stream" | "window">> = {
  path: field.anyOf([field.text({}), field.list(field.text({}), { minItems: 1 })], {
    required: true,
    doc: 'CSV, TSV, JSON, JSON Lines, Parquet or text file; several have a pattern such as "part-*.jsonl"',
  }),
  text: field.text({ absent: "text", doc: "Column of the text" }),
  label: field.text({
    absent: "label",
    doc: "Column of the label, labels or scores, as the task says",
  }),
  separator: field.text({
    pattern: ".",
    wanted: "a text that is not empty",
    absent: "a comma",
    doc: "Multi-label classification: delimiter between the labels in a cell",
  }),
  labels: field.list(field.text({}), {
    minItems: 2,
    absent: "those of the model's head, or of the data, sorted",
    doc: "Labels in the order of their ids",
  }),
  numbers: field.list(field.text({}), {
    minItems: 1,
    absent: "none",
    doc: "Further columns, of numbers, that methods read, such as a curriculum's difficulty",
  }),
  prompt: field.text({ doc: "Column of the prompt" }),
  completion: field.text({ doc: "Column of the completion" }),
  source: field.text({ doc: "Column of the source, which an encoder-decoder model reads" }),
  target: field.text({ doc: "Column of the target, which it writes" }),
  words: field.text({ doc: "Column with lists of words" }),
  tags: field.text({ doc: "Column with lists of the words' labels" }),
  messages: field.text({ doc: "Column with lists of messages" }),
  turns: field.choice(["all", "last"], { absent: "all", doc: "Chats: the answers that are trained on" }),
  template: field.text({ absent: "the model's", doc: "Chats: file with another chat template" }),
  format: formatField([]),
  delimiter: field.text({
    pattern: ".",
    wanted: "a text that is not empty",
    absent: "detected in the first line",
    doc: "Delimiter of CSV and TSV",
  }),
  quotes: field.choice(["auto", "none", "double"], {
    absent: "auto: detected",
    doc: "CSV and TSV: quotes are characters (none) or enclose fields (double)",
  }),
  header: field.list(field.text({}), {
    minItems: 1,
    absent: "its first line",
    doc: "Column names of a file without a header line",
  }),
  encoding: field.text({
    absent: "utf-8, or utf-16 if detected",
    doc: "Encoding of the file, such as windows-1252",
  }),
  document: field.choice(["line", "paragraph", "file"], {
    absent: "line",
    doc: "Plain text: what is one document; a paragraph ends at a blank line",
  }),
  query: field.text({ absent: "none", doc: "SQL query that gives the rows of a database" }),
  validation: SPLIT_OPTIONS.validation,
  test: { ...SPLIT_OPTIONS.test, default: 0.2 },
  stream: field.boolean({
    default: false,
    doc: "Read the rows while the model trains, for files larger than memory",
  }),
  window: field.integer({
    minimum: 1,
    default: 4096,
    doc: "Rows of a stream in memory at a time, for training, validation and test each",
  }),
}

/** Of the options of training, those that a run does not say or says elsewhere. */
const { seed: _seed, config: _config, observe: _observe, runFolder: _folder, resume: _resume, ...some } = TRAIN_OPTIONS
const { retain: _retain, earlyStopping: _stopping, tokenizer: _tokenizer, traceStep: _step, ...own } = some

/** {@link TrainingSpec} as a table. */
export const TRAINING: OptionTable<TrainingSpec, "maxSteps" | "warmupSteps" | "paddingFree" | "patience"> = {
  ...own,
  epochs: { ...own.epochs, default: 5 },
  batchSize: { ...own.batchSize, default: 16 },
  learningRate: { ...own.learningRate, default: 3e-3 },
  warmupRatio: { ...own.warmupRatio, default: 0.06 },
  optimizer: field.choice(["adamw", "sgd"], { default: "adamw", doc: "Optimizer" }),
  maxLength: field.integer({ minimum: 2, default: 128, doc: "Maximum tokens per example; longer texts are cut" }),
  patience: field.integer({ minimum: 1, absent: "never", doc: "Stop after this many evaluations without progress" }),
}

/** {@link RunSpec} as a table, with the methods that it may name. */
export function runTable(
  methods: RunMethods,
  readers: ReadonlyArray<Reader> = [],
): OptionTable<
  RunSpec,
  "$schema" | "data" | "task" | "tasks" | "retain" | "replay" | "generalText" | "balance" | "training"
> {
  const data = { ...DATA, format: formatField(readers) }
  const task = field.choice(KINDS, { absent: "from the columns", doc: "Task" })
  const oneOfSeveral = field.record<TaskSpec>()({
    data: field.record<DataSpec>()(data, { required: true, doc: "Its rows, and their columns" }),
    task,
  }, {})
  const { labels: _labels, validation: _validation, test: _test, stream: _stream, window: _window, ...oldRows } = data
  const old = field.record<OldRowsSpec>()(oldRows, {})
  const propertyNames = field.text({ pattern: "^[\\w\\-]+$", wanted: "letters, digits, dashes and underscores" })
  return {
    $schema: field.text({ doc: "Address of the JSON Schema, for editors" }),
    model: field.record<ModelSpec>()(MODEL, {
      required: true,
      doc: "The base model",
    }),
    data: field.record<DataSpec>()(data, { doc: "The rows to learn from, and their columns, of a run of one task" }),
    task,
    tasks: field.byName(oneOfSeveral, {
      propertyNames,
      doc: "Instead of data and task: two or more tasks by name, each with data of its own, over one trunk",
    }),
    retain: field.byName(old, {
      propertyNames,
      doc: "Old rows by name (of several tasks, theirs): what the model forgets",
    }),
    replay: field.byName(old, {
      propertyNames,
      doc: "Old rows by name that a run of one task trains on beside its own, which are named new",
    }),
    generalText: field.text({
      pattern: ".",
      wanted: "a path, or none",
      absent: "twelve paragraphs of this package",
      doc: "Plain text on which a language model is judged before and after; none: it is not",
    }),
    balance: field.anyOf([
      field.boolean({}),
      field.byName(field.byName(field.list(field.text({}), { minItems: 1 }), {}), {}),
    ], {
      absent: "false",
      doc:
        "Report how answers change with words of groups of people: true, or the words by group by what they differ in",
    }),
    methods: field.list(methodField(methods), { minItems: 1, required: true, doc: "Methods, in any order" }),
    training: field.record<TrainingSpec>()(TRAINING, { doc: "Options of training" }),
    seed: field.integer({ minimum: 0, default: 42, doc: "Seed of split, new weights and order of examples" }),
    output: field.text({ required: true, doc: "Run folder" }),
  }
}
