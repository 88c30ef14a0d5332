import type { Rng } from "../../tensor/operations/random.ts"

/**
 * Divides a share of all among the classes by largest remainder; `rng` draws ties. At most `room` of a class is taken, so the
 * sum may be less than the share.
 */
export const shares = (
  sizes: ReadonlyArray<number>,
  room: ReadonlyArray<number>,
  share: number,
  rng: Rng,
): ReadonlyArray<number> => {
  const ideal = sizes.map((size) => size * share)
  const counts = ideal.map((size, id) => Math.min(Math.floor(size), room[id]))
  // Rounded, since products of equal shares differ in their last bits.
  const remainders = ideal.map((size) => Math.round(1e9 * (size - Math.floor(size))))
  let left = Math.round(ideal.reduce((sum, size) => sum + size, 0)) - counts.reduce((sum, count) => sum + count, 0)
  const order = rng.shuffle(sizes.keys()).sort((a, b) => remainders[b] - remainders[a])
  for (const id of order) {
    if (left <= 0) break
    if (remainders[id] === 0 || counts[id] >= room[id]) continue
    counts[id]++
    left--
  }
  return counts
}
