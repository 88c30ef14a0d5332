/**
 * One epoch of LoRA on real texts: what the contestants of suite `epoch-real` are given and what they answer.
 * @module
 */

/** A text with its label. */
export interface LabelledText {
  readonly text: string
  readonly label: number
}

/** One run, as a file of JSON; names as in the Trainer's options. */
export interface EpochOrder {
  /** Directory of the base model. */
  readonly model: string
  readonly labels: ReadonlyArray<string>
  /** Each once, in random order. */
  readonly train: ReadonlyArray<LabelledText>
  /** What the trained model is judged by. */
  readonly test: ReadonlyArray<LabelledText>
  readonly seed: number
  readonly batchSize: number
  readonly learningRate: number
  readonly warmupRatio: number
  /** Longer texts are cut. */
  readonly maxLength: number
  readonly r: number
  readonly loraAlpha: number
  readonly targetModules: ReadonlyArray<string>
}

/** What a contestant prints: one line. */
export interface EpochResult {
  /** Of training: tokenizing before and judging after are not in it, compiling is. */
  readonly seconds: number
  /** Steps done. */
  readonly steps: number
  /** Share of the test that it labels rightly. */
  readonly accuracy: number
}
