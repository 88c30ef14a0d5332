/**
 * Calls that name more buffers than a shader may bind, as several calls that hand values on through scratch.
 * @module
 */
import { sizeOf, stridesOf } from "../../core/tensor/shape.ts"
import { neededSteps, perRowSteps } from "../analysis.ts"
import type { Instruction, View } from "../contract.ts"
import type { RowsCall } from "./call.ts"

const isScalar = ({ shape, strides }: View) => shape.every((extent, axis) => extent === 1 || strides[axis] === 0)

/**
 * Cuts a call so that each part names at most `most` buffers. A call whose outputs alone are too many stays as it is.
 *
 * @param scratch Makes a buffer of f32.
 */
export const fitBindings = (
  call: RowsCall,
  most: number,
  scratch: (elements: number) => number,
): ReadonlyArray<RowsCall> => {
  const { space, body, inputs, outputs } = call
  const last = space.length - 1
  const needed = neededSteps(body, outputs.map(({ step }) => step))
  const read = (steps: ReadonlyArray<number>) =>
    new Set(steps.flatMap((number) => {
      const step = body[number]
      return step.op === "load" ? [inputs[step.operand].buffer] : []
    }))
  const reads = read(needed), writes = new Set(outputs.map(({ view }) => view.buffer))
  if (new Set([...reads, ...writes]).size <= most) return [call]
  if (needed.every((number) => !("args" in body[number]))) {
    // Nothing is computed: a few outputs at a time.
    const few = most - reads.size
    if (few < 1 || [...reads].some((buffer) => writes.has(buffer))) return [call]
    const groups = [...writes].flatMap((_, i, all) => i % few === 0 ? [new Set(all.slice(i, i + few))] : [])
    return groups.map((group) => ({ ...call, outputs: outputs.filter(({ view }) => group.has(view.buffer)) }))
  }

  // Single numbers fit one buffer together.
  const scalars = [
    ...new Set(needed.flatMap((number) => {
      const step = body[number]
      return step.op === "load" && step.dtype === "f32" && isScalar(inputs[step.operand]) ? [step.operand] : []
    })),
  ]
  if (new Set(scalars.map((v) => inputs[v].buffer)).size > 1) {
    const buffer = scratch(scalars.length)
    const place = (v: number) => ({ buffer, offset: scalars.indexOf(v) })
    const packs = scalars.flatMap((_, i) => i % (most - 1) === 0 ? [scalars.slice(i, i + most - 1)] : [])
    return [
      ...packs.map((pack): RowsCall => ({
        kernel: "rows",
        space: [1],
        body: pack.map((_, operand) => ({ op: "load", operand, dtype: "f32" })),
        inputs: pack.map((v) => ({ ...inputs[v], shape: [1], strides: [0] })),
        outputs: pack.map((v, step) => ({ step, view: { ...place(v), shape: [1], strides: [1] } })),
      })),
      ...fitBindings(
        {
          ...call,
          inputs: inputs.map((view, v) => scalars.includes(v) ? { ...view, ...place(v) } : view),
        },
        most,
        scratch,
      ),
    ]
  }

  /** Cheap or not to be had in f32: done again in the second part. */
  const again = (number: number) =>
    ["constant", "index"].includes(body[number].op) || body[number].op === "load" && body[number].dtype === "i32"
  const handedOn = (count: number): ReadonlyArray<number> => {
    const early = new Set(needed.slice(0, count))
    const wanted = needed.slice(count).flatMap((number) => {
      const step = body[number]
      return "args" in step ? step.args : []
    })
    return [...new Set([...wanted, ...outputs.map(({ step }) => step)])]
      .filter((number) => early.has(number) && !again(number))
  }
  let count = needed.length
  while (
    count > 0 &&
    (read(needed.slice(0, count)).size >= most || handedOn(count).some((step) => body[step].dtype === "i32"))
  ) count--
  const handed = handedOn(count)
  // The second part must name fewer, or compute nothing.
  const left = needed.filter((number, i) => i >= count || again(number))
  const fewer = new Set([...read(left), ...writes]).size + 1 < new Set([...reads, ...writes]).size
  if (handed.length === 0 || !fewer && left.some((number) => "args" in body[number])) return [call]

  const perRow = perRowSteps(body, inputs.map((view) => view.strides), space.map((_, axis) => axis), last)
  const shapes = handed.map((step) => perRow[step] ? [...space.slice(0, last), 1] : space)
  const size = shapes.reduce((sum, shape) => sum + 4 * Math.ceil(sizeOf(shape) / 4), 0)
  const buffer = scratch(size)
  let offset = 0
  const views = shapes.map((shape): View => {
    const view = { buffer, offset, shape, strides: stridesOf(shape) }
    offset += 4 * Math.ceil(sizeOf(shape) / 4)
    return view
  })
  const later: Instruction[] = []
  const place = new Map<number, number>()
  handed.forEach((step, i) =>
    place.set(step, later.push({ op: "load", operand: inputs.length + i, dtype: body[step].dtype }) - 1)
  )
  needed.forEach((number, i) => {
    if (place.has(number) || i < count && !again(number)) return
    const step = body[number]
    place.set(
      number,
      later.push("args" in step ? { ...step, args: step.args.map((arg) => place.get(arg)!) } as Instruction : step) - 1,
    )
  })
  const rest: RowsCall = {
    kernel: "rows",
    space,
    body: later,
    inputs: [
      ...inputs,
      ...views.map((view, i) => ({
        ...view,
        shape: space,
        strides: perRow[handed[i]] ? [...view.strides.slice(0, last), 0] : view.strides,
      })),
    ],
    outputs: outputs.map(({ step, view }) => ({ step: place.get(step)!, view })),
  }
  return [
    { ...call, outputs: handed.map((step, i) => ({ step, view: views[i] })) },
    ...fitBindings(rest, most, scratch),
  ]
}
