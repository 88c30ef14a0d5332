import { kernelOf } from "../../../kernels/builtin.ts"
import type { Call, View } from "../../../kernels/contract.ts"
import { copied, copyCall } from "../../../kernels/rows/call.ts"
import { contiguous } from "../../../kernels/view.ts"
import { mapViews, readsOf, writesOf } from "./accesses.ts"
import { aligned, inPlace } from "./in_place.ts"
import type { Program } from "../program.ts"

/**
 * Writes values directly into the slots they update if nothing reads the old value later; copies the others at the end.
 * The program must not write slots yet.
 */
export function assignSlots(
  program: Program,
  targets: ReadonlyArray<{ readonly slot: number; readonly value: number }>,
): Program {
  const { calls, kernels } = program
  const firstWrite = new Map<number, number>()
  const readers = new Map<number, Set<number>>(targets.map(({ slot }) => [slot, new Set()]))
  calls.forEach((call, number) => {
    for (const { buffer } of writesOf(call, kernels)) if (!firstWrite.has(buffer)) firstWrite.set(buffer, number)
    for (const { buffer } of readsOf(call, kernels)) readers.get(buffer)?.add(number)
  })
  /** The buffer that holds each buffer's values. */
  const now = Int32Array.from(program.buffers.keys())
  const late: { slot: number; value: number }[] = []
  for (const { slot, value } of targets) {
    const first = firstWrite.get(value)
    const free = first !== undefined && now[value] === value && [...readers.get(slot)!].every((number) => {
      if (number < first) return true
      // In place: each element is read before it is written, by the same lane.
      const call = calls[number]
      const reads = readsOf(call, kernels).filter((view) => view.buffer === slot)
      return number === first && kernelOf(call, kernels).inPlace === true &&
        writesOf(call, kernels).every((view) => view.buffer !== value || reads.every((read) => aligned(read, view)))
    })
    if (free) now[value] = slot
    else late.push({ slot, value })
  }
  const copies = late.map(({ slot, value }) => {
    const { size, dtype } = program.buffers[slot]
    return copyCall(contiguous(now[value], [size]), contiguous(slot, [size]), dtype)
  })
  const whole = { ...program, calls: [...calls, ...copies] }
  return moved(whole, inPlace(whole, now))
}

/** The program with its values in other buffers, without unused buffers. */
function moved(program: Program, places: Int32Array): Program {
  const number = new Int32Array(program.buffers.length).fill(-1)
  const use = ({ buffer }: View) => number[places[buffer]] = 0
  for (const call of program.calls) {
    readsOf(call, program.kernels).forEach(use)
    writesOf(call, program.kernels).forEach(use)
  }
  for (const { view } of program.outputs) use(view)
  const buffers = program.buffers.filter((_, old) => number[old] === 0)
  let count = 0
  for (let old = 0; old < number.length; old++) if (number[old] === 0) number[old] = count++
  const change = ({ buffer, offset, shape, strides }: View): View => ({
    buffer: number[places[buffer]],
    offset,
    shape,
    strides,
  })
  return {
    ...program,
    buffers,
    calls: program.calls.map((call) => mapViews(call, change, program.kernels)).filter((call) => !copiesToItself(call)),
    outputs: program.outputs.map((output) => ({ ...output, view: change(output.view) })),
  }
}

/** Whether a call copies a view onto itself, as an update in place begins. */
function copiesToItself(call: Call): boolean {
  const views = copied(call)
  return views !== undefined && views.from.buffer === views.to.buffer && aligned(views.from, views.to)
}
