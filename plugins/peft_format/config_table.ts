/**
 * Fields of `adapter_config.json` as tables: a field is declared once, and read and written by its declaration.
 * @module
 */
import { JsonError } from "../../core/formats/json/json_error.ts"
import { parseJson } from "../../core/formats/json/json_file.ts"
import { type ConfigReader, objectReader } from "../../core/formats/json/model_config.ts"
import { baseName, PEFT_TASK_TYPES, PeftError, peftError, type PeftTaskType } from "../peft_names/mod.ts"

/** A field of the file. */
export interface PeftField<T> {
  readonly stored: string
  readonly read: (config: ConfigReader, name: string) => T
  /** Value in the file; undefined leaves the field out. */
  readonly write: (value: T | undefined) => unknown
}

type ValueOf<F> = F extends PeftField<infer T> ? T : never
type Open<F> = { [Name in keyof F]: undefined extends ValueOf<F[Name]> ? Name : never }[keyof F]

/** Values of fields; those that may be undefined may be absent. */
export type PeftValues<F> =
  & { readonly [Name in Exclude<keyof F, Open<F>>]: ValueOf<F[Name]> }
  & { readonly [Name in Open<F>]?: Exclude<ValueOf<F[Name]>, undefined> }

/** A field. By default an absent value is written as null. */
export function field<T>(
  stored: string,
  read: PeftField<T>["read"],
  write: PeftField<T>["write"] = (value) => value ?? null,
): PeftField<T> {
  return { stored, read, write }
}

/** A field that may be absent or null. */
export function optional<T>(
  stored: string,
  read: PeftField<T>["read"],
  write?: PeftField<T | undefined>["write"],
): PeftField<T | undefined> {
  return field<T | undefined>(stored, (config, name) => config.optional(name, (name) => read(config, name)), write)
}

/** Names, written in order; none are null. */
export const sorted = (names: string | ReadonlyArray<string> | undefined): unknown =>
  Array.isArray(names) ? names.toSorted() : names ?? null

/** Fields that every method has. */
export const SHARED_FIELDS = {
  taskType: optional<PeftTaskType>(
    "task_type",
    (config, name) => config.string(name, { choices: PEFT_TASK_TYPES }) as PeftTaskType,
  ),
  /** Empty for none. */
  baseModel: field(
    "base_model_name_or_path",
    (config, name) => config.string(name, { default: "" }),
    (value) => value === "" ? null : value,
  ),
  /** Modules that train whole. */
  modulesToSave: field(
    "modules_to_save",
    (config, name) => config.strings(name, { default: [] }),
    (names) => names?.length === 0 ? null : sorted(names),
  ),
}

/** Reads a table's fields. */
export function readFields<F>(fields: F, config: ConfigReader): PeftValues<F> {
  const all = Object.entries<PeftField<unknown>>(fields as Record<string, PeftField<unknown>>)
  const values = all.map(([name, { stored, read }]) => [name, read(config, stored)] as const)
  return Object.fromEntries(values.filter(([, value]) => value !== undefined)) as PeftValues<F>
}

/** The text of a config: a table's fields, and others that are always the same. */
export function writeFields<F>(
  fields: F,
  values: PeftValues<F>,
  others: Readonly<Record<string, unknown>>,
): string {
  const record: Record<string, unknown> = { auto_mapping: null, inference_mode: true, revision: null, ...others }
  for (const [name, { stored, write }] of Object.entries<PeftField<unknown>>(fields as never)) {
    record[stored] = write(values[name as keyof typeof values])
  }
  const { name, revision } = baseName(String(record.base_model_name_or_path ?? ""))
  Object.assign(record, { base_model_name_or_path: name, revision })
  const ordered = Object.fromEntries(Object.keys(record).sort().map((key) => [key, record[key]]))
  return `${JSON.stringify(ordered, null, 2)}\n`
}

/** Reads a config's text. Whatever is wrong with it is a {@link PeftError}. */
export function readConfigText<A>(text: string, file: string, read: (config: ConfigReader) => A): A {
  try {
    return read(objectReader(parseJson(text, file), file))
  } catch (error) {
    if (error instanceof JsonError) throw new PeftError({ reason: "Config", file, message: error.message })
    throw error
  }
}

/** `peft_type` of a config, one of the wanted ones. */
export function readType<Type extends string>(config: ConfigReader, types: ReadonlyArray<Type>): Type {
  const given = config.string("peft_type")
  const type = types.find((type) => type === given)
  if (type !== undefined) return type
  const { file } = config
  throw peftError(
    "Unsupported",
    file,
    `peft_type is "${given}", not ${types.join(" or ")}; load it with the plugin of its method`,
  )
}

/** The note of a field that no known version of PEFT has. */
export function unknownField({ file, record }: ConfigReader, name: string): string {
  return `${file}: the field ${name} ${JSON.stringify(record[name])} is not known here and is left alone`
}
