/**
 * Which of a module's memories holds encoded numbers.
 * @module
 */
import type { Encoding } from "../encoding.ts"

/** An encoding of numbers that lie in a memory of the module; without a number, in the first. */
type Placed = Encoding & { readonly memory?: number; readonly anywhere?: Encoding }

/** The same encoding, as functions of a kernel need it whose operand lies in that memory: with a name of its own. */
export const placedIn = (memory: number, encoding: Encoding): Encoding => {
  if (memory === 0) return encoding
  const placed: Placed = { ...encoding, name: `${encoding.name} in memory ${memory}`, memory, anywhere: encoding }
  return placed
}

/** The memory of numbers in an encoding. */
export const memoryOf = ({ memory = 0 }: Placed): number => memory

/** The encoding without the memory. */
export const anywhere = (encoding: Encoding): Encoding => (encoding as Placed).anywhere ?? encoding
