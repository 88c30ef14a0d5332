import type { Accountant, PrivateSteps } from "./accounting/accountant.ts"

/** Parts of a run after which epsilon is computed: it takes too long to do it after each step. */
const PARTS = 10

/** What a run spends. */
export interface Account {
  /** Steps that the budget allows, at most those that are planned. */
  readonly allowedSteps: number
  /** An upper bound of epsilon after some steps: exact after each tenth of the run, and at its end. */
  readonly spent: (steps: number) => number
}

/** The account of planned steps. */
export function makeAccount(
  accountant: Accountant,
  { steps: planned, ...step }: PrivateSteps,
  { epsilon: budget, delta }: { readonly epsilon: number; readonly delta: number },
): Account {
  const known = new Map<number, number>([[0, 0]])
  const epsilonAfter = (steps: number): number => {
    const epsilon = known.get(steps) ?? accountant.epsilon([{ ...step, steps }], delta)
    known.set(steps, epsilon)
    return epsilon
  }
  const allowedSteps = Number.isFinite(budget) ? mostSteps(epsilonAfter, planned, budget) : planned
  const part = Math.ceil(allowedSteps / PARTS)
  return {
    allowedSteps,
    spent: (steps) => epsilonAfter(Math.min(Math.ceil(steps / part) * part, Math.max(allowedSteps, steps))),
  }
}

/** Most steps within a budget, by bisection. */
function mostSteps(epsilonAfter: (steps: number) => number, planned: number, budget: number): number {
  if (epsilonAfter(planned) <= budget) return planned
  let [low, high] = [0, planned]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (epsilonAfter(middle) <= budget) low = middle
    else high = middle
  }
  return low
}
