/** Recent speed of a run: exponential moving averages over about ten steps. */
export interface Pace {
  /** Excludes the time since the last step, which was an evaluation or a checkpoint. */
  readonly mark: () => void
  /** Records a finished step. */
  readonly step: (tokens: number) => void
  readonly tokensPerSecond: () => number
  readonly secondsPerStep: () => number
}

/** @param now A clock in milliseconds. */
export function makePace(now: () => number): Pace {
  let from = now()
  let seconds = 0
  let tokens = 0
  let weight = 0
  return {
    mark: () => {
      from = now()
    },
    step: (count) => {
      const at = now()
      seconds = 0.9 * seconds + (at - from) / 1000
      tokens = 0.9 * tokens + count
      weight = 0.9 * weight + 1
      from = at
    },
    tokensPerSecond: () => seconds > 0 ? tokens / seconds : 0,
    secondsPerStep: () => weight > 0 ? seconds / weight : 0,
  }
}
