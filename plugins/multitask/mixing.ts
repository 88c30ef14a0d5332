import type { Rng } from "../../core/tensor/operations/random.ts"
import type { Mixing, ResolvedOptions } from "./options.ts"

/** What the share of a task follows from. */
export interface TaskSize {
  /** Its rows. */
  readonly rows: number
  /** Parts that hold every row once. */
  readonly parts: number
}

/** By the option `mixing`: what a task's share is in proportion to. */
const SHARES: Readonly<Record<Mixing, (size: TaskSize, temperature: number) => number>> = {
  proportional: ({ parts }) => parts,
  temperature: ({ rows }, temperature) => rows ** (1 / temperature),
  equal: () => 1,
}

/** Parts of each task among `total`: its share, rounded so that the sum is exact, and at least 1 where `total` allows it. */
export function partsByTask(
  sizes: Readonly<Record<string, TaskSize>>,
  total: number,
  { mixing, temperature }: Pick<ResolvedOptions, "temperature"> & { readonly mixing: Mixing },
): Readonly<Record<string, number>> {
  const all = Object.entries(sizes).map(([task, size]) => ({ task, size: SHARES[mixing](size, temperature) }))
  const sum = all.reduce((sum, { size }) => sum + size, 0)
  const counts = all.map(({ task, size }) => ({
    task,
    exact: total * size / sum,
    count: Math.floor(total * size / sum),
  }))
  const byRest = counts.toSorted((a, b) => b.exact - b.count - (a.exact - a.count))
  const left = total - counts.reduce((sum, { count }) => sum + count, 0)
  for (const one of byRest.slice(0, left)) one.count++
  for (const one of counts.filter(({ count }) => count === 0)) {
    const most = counts.reduce((a, b) => b.count > a.count ? b : a)
    if (most.count < 2) break
    most.count--
    one.count++
  }
  return Object.fromEntries(counts.map(({ task, count }) => [task, count]))
}

/**
 * An order of so many parts by task. The parts of a task are spread evenly, each at a random place of its own stretch, so
 * that any piece of the order holds the tasks in about their shares; with equal shares every round has each task once.
 */
export function mixedOrder(counts: Readonly<Record<string, number>>, rng: Rng): ReadonlyArray<string> {
  const places = Object.entries(counts).flatMap(([task, count]) =>
    Array.from({ length: count }, (_, i) => ({ task, at: (i + rng.float()) / count }))
  )
  return places.sort((a, b) => a.at - b.at).map(({ task }) => task)
}
