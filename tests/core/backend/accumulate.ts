import { assert, assertEquals } from "@std/assert"
import type { Slot } from "../../../core/backend/backend.ts"
import type { Program } from "../../../core/graph/program.ts"
import type { Instruction } from "../../../kernels/contract.ts"
import type { BuiltinCall as Call } from "../../../kernels/builtin.ts"
import { noise, view } from "../../kernels/compare.ts"

const f32 = "f32" as const

/** slot = slot + x, and y = 2 * slot + c, with a column sum between. */
export const accumulate = (slot: Slot, rows: number, columns: number): Program => {
  const size = rows * columns
  const body: Instruction[] = [
    { op: "load", operand: 0, dtype: f32 },
    { op: "load", operand: 1, dtype: f32 },
    { op: "add", args: [0, 1], dtype: f32 },
  ]
  const shape = [rows, columns]
  const add = (a: number, b: number, to: number): Call => ({
    kernel: "rows",
    space: shape,
    body,
    inputs: [view(a, shape), view(b, shape)],
    outputs: [{ step: 2, view: view(to, shape) }],
  })
  return {
    name: "accumulate",
    buffers: [
      { size, dtype: f32, source: { kind: "input", name: "x" } },
      { size, dtype: f32, source: { kind: "slot", slot: slot.id } },
      { size, dtype: f32, source: { kind: "constant", data: noise(size, 9) } },
      { size, dtype: f32, source: { kind: "temporary" } },
      { size, dtype: f32, source: { kind: "temporary" } },
      { size: columns, dtype: f32, source: { kind: "temporary" } },
    ],
    calls: [
      add(0, 1, 1),
      add(1, 1, 3),
      add(3, 2, 4),
      {
        kernel: "columns",
        space: shape,
        outerAxes: 0,
        kind: "sum",
        body: [body[0]],
        result: 0,
        inputs: [view(4, shape)],
        output: view(5, [columns]),
      } as Call,
    ],
    outputs: [
      { name: "y", view: view(4, shape), dtype: f32 },
      { name: "sums", view: view(5, [columns]), dtype: f32 },
      { name: "state", view: view(1, [columns], [1], columns), dtype: f32 },
    ],
  }
}

/** Fails unless two arrays are near each other. */
export const near = (got: ArrayLike<number>, want: ArrayLike<number>, what: string) => {
  assertEquals(got.length, want.length, what)
  for (let i = 0; i < want.length; i++) {
    assert(Math.abs(got[i] - want[i]) <= 1e-4 * (1 + Math.abs(want[i])), `${what}[${i}] is ${got[i]}, not ${want[i]}`)
  }
}
