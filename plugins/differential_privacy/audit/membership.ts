/** How well a score tells members of the training data from others; a higher score says member. */
export interface MembershipAttack {
  /** Area under the ROC curve: the probability that a member scores above an other, ties counting half; 0.5 is chance. */
  readonly auc: number
  /** The 95 % interval of `auc`, cut to 0 to 1. */
  readonly interval: readonly [low: number, high: number]
  /** Greatest share of members found by a threshold that takes at most 1 % of the others for members. */
  readonly truePositiveRate: number
  /** The ROC curve from (0, 0) to (1, 1): one point for each distinct score. */
  readonly curve: ReadonlyArray<readonly [falsePositiveRate: number, truePositiveRate: number]>
}

/** Quantile of the normal distribution for a two-sided interval of 95 %. */
const Z = 1.959963984540054
const FALSE_POSITIVE_RATE = 0.01

/**
 * Judges a membership attack by the scores that it gives. The interval of the AUC is the normal one with the variance of
 * DeLong, DeLong and Clarke-Pearson (1988). The true-positive rate at 1 % is that of Carlini et al. (2022), "Membership
 * inference attacks from first principles". Throws a RangeError on fewer than two members or others, or a score that is
 * not a finite number.
 */
export function membershipAttack(members: ReadonlyArray<number>, others: ReadonlyArray<number>): MembershipAttack {
  check("members", members)
  check("others", others)
  const above = members.map((score) => mean(others.map((other) => wins(score, other))))
  const below = others.map((other) => mean(members.map((score) => wins(score, other))))
  const auc = mean(above)
  const reach = Z * Math.sqrt(variance(above) / members.length + variance(below) / others.length)
  const curve = rocCurve(members, others)
  const allowed = curve.map(([falsePositives, truePositives]) =>
    falsePositives <= FALSE_POSITIVE_RATE ? truePositives : 0
  )
  return {
    auc,
    interval: [Math.max(0, auc - reach), Math.min(1, auc + reach)],
    truePositiveRate: allowed.reduce((most, rate) => Math.max(most, rate), 0),
    curve,
  }
}

function check(name: string, scores: ReadonlyArray<number>): void {
  if (scores.length < 2) throw new RangeError(`${name} must be two scores or more, got ${scores.length}`)
  const bad = scores.find((score) => !Number.isFinite(score))
  if (bad !== undefined) throw new RangeError(`the scores of ${name} must be finite numbers, got ${bad}`)
}

const wins = (a: number, b: number) => a > b ? 1 : a === b ? 0.5 : 0
const mean = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0) / values.length

function variance(values: ReadonlyArray<number>): number {
  const center = mean(values)
  return values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1)
}

function rocCurve(members: ReadonlyArray<number>, others: ReadonlyArray<number>): MembershipAttack["curve"] {
  const thresholds = [...new Set([...members, ...others])].sort((a, b) => b - a)
  const share = (scores: ReadonlyArray<number>, least: number) =>
    scores.filter((score) => score >= least).length / scores.length
  return [[0, 0], ...thresholds.map((least) => [share(others, least), share(members, least)] as const)]
}
