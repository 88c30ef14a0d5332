import { assert, assertEquals } from "@std/assert"
import type { Instruction } from "../../../kernels/contract.ts"
import type { RowsCall } from "../../../kernels/rows/call.ts"
import { cutLongRows } from "../../../kernels/rows/cut.ts"
import { fitBindings } from "../../../kernels/rows/fit_bindings.ts"
import { rowsReference } from "../../../kernels/rows/reference.ts"
import { noise, size, view } from "../compare.ts"

const f32 = "f32" as const
const load = (operand: number): Instruction => ({ op: "load", operand, dtype: f32 })
const add = (a: number, b: number): Instruction => ({ op: "add", args: [a, b], dtype: f32 })
const sum = (from: number): Instruction => ({ op: "reduce", kind: "sum", args: [from], dtype: f32 })

/** Runs a call whole and in parts, on the same contents; all its buffers must end the same. */
const sameInParts = (
  call: RowsCall,
  sizes: number[],
  parts: (scratch: (n: number) => number) => readonly RowsCall[],
) => {
  const whole = sizes.map((n, i) => Float64Array.from(noise(n, i + 1)))
  const cut = whole.map((data) => data.slice())
  rowsReference(call, whole)
  const calls = parts((n) => cut.push(new Float64Array(n).fill(NaN)) - 1)
  for (const part of calls) rowsReference(part, cut)
  whole.forEach((data, i) => data.forEach((x, j) => assert(Math.abs(x - cut[i][j]) <= 1e-9 * (1 + Math.abs(x)))))
  return calls
}
const buffersOf = ({ body, inputs, outputs }: RowsCall) =>
  new Set([
    ...body.flatMap((step) => step.op === "load" ? [inputs[step.operand].buffer] : []),
    ...outputs.map(({ view }) => view.buffer),
  ])

/** Partial sums of `count` operands; every third is stored, the first output over the first operand. */
const partialSums = (space: number[], count: number): RowsCall => {
  const body = [load(0)]
  const sums = [0]
  for (let i = 1; i < count; i++) {
    body.push(load(i))
    sums.push(body.push(add(sums.at(-1)!, body.length - 1)) - 1)
  }
  const total = body.push(sum(sums.at(-1)!)) - 1
  const last = body.push(add(total, 0)) - 1
  const steps = [last, ...sums.filter((_, i) => i % 3 === 2)]
  return {
    kernel: "rows",
    space,
    body,
    inputs: Array.from({ length: count }, (_, i) => view(i, space)),
    outputs: steps.map((step, i) => ({ step, view: view(i === 0 ? 0 : count + i, space) })),
  }
}

Deno.test("fitBindings: parts name no more buffers than they may, and give the same", () => {
  for (const most of [4, 5, 8, 10, 40]) {
    const call = partialSums([3, 5], 17)
    const sizes = Array.from({ length: 25 }, () => 15)
    const parts = sameInParts(call, sizes, (scratch) => fitBindings(call, most, scratch))
    for (const part of parts) {
      assert(buffersOf({ ...part, body: needed(part) }).size <= most, `more than ${most} buffers`)
    }
    assertEquals(parts.length > 1, most < 23)
  }
})

Deno.test("fitBindings: single numbers are put together first", () => {
  const space = [4, 6]
  const call: RowsCall = {
    ...partialSums(space, 12),
    inputs: Array.from({ length: 12 }, (_, i) => i < 3 ? view(i, space) : view(i, space, [0, 0], i % 2)),
    outputs: [{ step: partialSums(space, 12).body.length - 1, view: view(0, space) }],
  }
  const parts = sameInParts(call, Array.from({ length: 12 }, () => 24), (scratch) => fitBindings(call, 6, scratch))
  assertEquals(parts.map((part) => part.space), [[1], [1], space])
  for (const part of parts) assert(buffersOf({ ...part, body: needed(part) }).size <= 6)
})

/** The steps that a call's outputs need. */
const needed = ({ body, outputs }: RowsCall): Instruction[] => {
  const found = new Set<number>()
  const need = (number: number): void => {
    const step = body[number]
    if (!found.has(number) && "args" in step) step.args.forEach(need)
    found.add(number)
  }
  outputs.forEach(({ step }) => need(step))
  return body.filter((_, number) => found.has(number))
}

Deno.test("cutLongRows: pieces of long rows give the same sums; what needs whole rows is left alone", () => {
  const space = [2, 12288]
  const body = [load(0), { op: "mul", args: [0, 0], dtype: f32 } as const, sum(1), load(1), add(2, 3), add(4, 2)]
  const sums: RowsCall = {
    kernel: "rows",
    space,
    body,
    inputs: [view(0, space, [1, 2]), view(1, space, [1, 0])],
    outputs: [{ step: 5, view: view(2, [2, 1]) }, { step: 2, view: view(3, [2, 1]) }],
  }
  const sizes = [size(space), 2, 2, 2]
  const parts = sameInParts(sums, sizes, (scratch) => cutLongRows(sums, scratch)!)
  assertEquals(parts.map((part) => part.space), [[2, 6, 2048], [2, 6]])
  const none = () => {
    throw new Error("asked for scratch")
  }
  const whole = { ...sums, outputs: [{ step: 1, view: view(3, space) }, ...sums.outputs] }
  const indexed = { ...sums, body: [{ op: "index", axis: 1, dtype: "i32" } as const, ...body.slice(1)] }
  for (const call of [whole, indexed, { ...sums, space: [2, 2000] }]) assertEquals(cutLongRows(call, none), undefined)
})
