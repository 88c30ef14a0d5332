import type { LoraOptions } from "../lora/mod.ts"

/** A run as the paper has it, in options of `QLora.layer` and of `Trainer.fit`. */
export interface PaperSettings {
  /** Options of the adapter. */
  readonly method: Required<Pick<LoraOptions, "r" | "loraAlpha" | "loraDropout">>
  /** Options of the run, with AdamW; the paper sets its second beta to 0.999, as here by default. */
  readonly training: {
    readonly learningRate: number
    readonly schedule: "constant"
    readonly warmupRatio: number
    readonly maxGradNorm: number
    readonly batchSize: number
  }
}

/**
 * The paper's settings for a model of so many parameters (Dettmers et al. 2023, appendix B): 7B and 13B, or 33B and 65B, where
 * dropout and learning rate are half as large.
 */
export function paperSettings(parameters: number): PaperSettings {
  const large = parameters >= 3e10
  return {
    method: { r: 64, loraAlpha: 16, loraDropout: large ? 0.05 : 0.1 },
    training: {
      learningRate: large ? 1e-4 : 2e-4,
      schedule: "constant",
      warmupRatio: 0.03,
      maxGradNorm: 0.3,
      batchSize: 16,
    },
  }
}
