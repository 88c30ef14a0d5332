/** What a pacing depends on. */
export interface Pace {
  /** Share of the duration that is over, [0, 1). */
  readonly progress: number
  /** Competence at the start, (0, 1]. */
  readonly start: number
  readonly stages: number
}

/** Name of a pacing. */
export type Pacing = "linear" | "root" | "step" | "competence"

/** Competence, (0, 1], by name. */
export const PACINGS: Readonly<Record<Pacing, (pace: Pace) => number>> = {
  linear: ({ progress, start }) => start + (1 - start) * progress,
  root: ({ progress, start }) => start + (1 - start) * Math.sqrt(progress),
  step: ({ progress, start, stages }) => start + (1 - start) * Math.floor(progress * stages) / stages,
  competence: ({ progress, start }) => Math.sqrt(start ** 2 + (1 - start ** 2) * progress),
}

/** Number of rows that a competence allows of `rows`: their share, at least one. */
export function poolSize(competence: number, rows: number): number {
  // A share that is a whole number of rows but for its last bits counts as that number.
  return Math.max(1, Math.floor(competence * rows + 1e-9))
}
