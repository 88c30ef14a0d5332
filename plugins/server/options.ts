import { type Fault, field, mustBe, type OptionTable, type Resolved } from "../../core/options/mod.ts"
import type { Served } from "./served.ts"

/** Options of {@link layer}. */
export interface ServerOptions {
  /** What is served, at least one: of `writer`, `embedder`, `classifier`. */
  readonly models: ReadonlyArray<Served>
  /** Keys, one of which every request below `/v1` must have. Default: none is asked for. */
  readonly keys?: ReadonlyArray<string>
  /** Folders below which adapters may be loaded from while the server runs. Default: none may. */
  readonly adapterFolders?: ReadonlyArray<string>
  /** Most bytes of a request. Default 8 MiB. */
  readonly maxBodyBytes?: number
  /** Most seconds until a request is there. Default 30. */
  readonly bodySeconds?: number
  /** Most tokens that a request may ask for, and those of an answer that is not told how long it may be. Default: as many as fit. */
  readonly maxTokens?: number
  /** Most seconds of an answer. Default 600. */
  readonly answerSeconds?: number
}

/** Options with their defaults. */
export type ServerSettings = Resolved<ServerOptions, "maxTokens">

const isServed = (value: unknown): value is Served => {
  const { id, places } = (value ?? {}) as Partial<Served>
  return typeof id === "string" && id !== "" && typeof places === "object"
}

const models = (value: unknown, at: string): ReadonlyArray<Fault> => {
  const wanted = "a list of what writer, embedder and classifier give"
  if (!Array.isArray(value) || value.length === 0 || !value.every(isServed)) return [mustBe(at, wanted, typeof value)]
  const ids = value.map(({ id }) => id)
  const twice = ids.find((id, i) => ids.indexOf(id) < i)
  return twice === undefined ? [] : [{ at, message: `${at} must have names of their own, got "${twice}" twice` }]
}

/** {@link ServerOptions} as a table. */
export const SERVER_OPTIONS: OptionTable<ServerOptions, "maxTokens"> = {
  models: field.opaque<ReadonlyArray<Served>>()({ required: true, faults: models }),
  keys: field.list(field.text({ pattern: "^\\S+$", wanted: "a text without spaces" }), {
    default: [],
    doc: "Keys, one of which every request must have",
  }),
  adapterFolders: field.list(field.text({}), {
    default: [],
    doc: "Folders below which adapters may be loaded from while the server runs",
  }),
  maxBodyBytes: field.integer({ minimum: 1, default: 8 << 20, doc: "Most bytes of a request" }),
  bodySeconds: field.number({ exclusiveMinimum: 0, default: 30, doc: "Most seconds until a request is there" }),
  maxTokens: field.integer({ minimum: 1, absent: "as many as fit", doc: "Most tokens of an answer" }),
  answerSeconds: field.number({ exclusiveMinimum: 0, default: 600, doc: "Most seconds of an answer" }),
}
