/** Schedule of the learning rate after the warm-up. */
export type Schedule = "linear" | "cosine" | "constant"

/** Lengths of a schedule. */
export interface ScheduleLengths {
  /** Warm-up steps, in which the rate rises from 0. */
  readonly warmup: number
  /** All steps of the run. */
  readonly total: number
}

/**
 * Factor on the learning rate after `done` steps, as in transformers: `done / warmup` at first, then to 0 along a line or
 * half a cosine, or constant 1. The first step has `done` 0, so with a warm-up its rate is 0.
 */
export function scheduleFactor(schedule: Schedule, done: number, { warmup, total }: ScheduleLengths): number {
  if (done < warmup) return done / Math.max(1, warmup)
  const length = Math.max(1, total - warmup)
  switch (schedule) {
    case "constant":
      return 1
    case "linear":
      return Math.max(0, (total - done) / length)
    case "cosine":
      return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * (done - warmup) / length)))
  }
}
