/**
 * What `run.ts` and `server.ts` share.
 * @module
 */
import type { RunSpec } from "@espalier/espalier/run"

const repository = new URL("../../../", import.meta.url).pathname

/** The included model. */
export const BASE = `${repository}examples/models/espalier-1m`
/** Labels in the order of their ids. */
export const LABELS = ["ham", "spam"]
/** Tokens of a text. */
export const MAX_LENGTH = 96
/** Rows that are answered together. */
export const BATCH = 20
/** Rows of a window. */
export const WINDOW = 60
/** The method. */
export const LORA = { method: "lora", r: 8, loraAlpha: 16, targetModules: ["q_proj", "v_proj"] }

/** Options of training. */
export const TRAINING = { epochs: 3, batchSize: 16, learningRate: 3e-3, maxLength: MAX_LENGTH }
/** The run, without data. */
export const RUN: RunSpec = {
  model: { path: BASE },
  methods: [LORA],
  training: TRAINING,
  output: "",
}

/** How a run file is carried out. */
export const COMMAND: readonly [string, ...ReadonlyArray<string>] = [
  Deno.execPath(),
  ...["run", "--allow-all", "--no-check", `${repository}examples/run.ts`, "--attached", "--threads", "1"],
]
