import { assert, assertEquals } from "@std/assert"
import { lower } from "../../../../core/backend/wasm/lower.ts"
import { interpret } from "../../../../core/graph/interpret.ts"
import type { BufferSpec, Program } from "../../../../core/graph/program.ts"
import type { Call } from "../../../../kernels/contract.ts"
import { noise, view } from "../../../kernels/_compare.ts"
import { withBackend } from "./_with_backend.ts"

const f32 = "f32" as const
const [rows, columns] = [203, 65]

/** Calls of all sizes over temporaries that take each other's places: a forgotten barrier shows as a wrong number. */
const tangle = (seed: number, length: number): Program => {
  let state = seed
  const random = (limit: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % 65536 % limit
  const buffers: Array<BufferSpec> = []
  const calls: Array<Call> = []
  const add = (size: number, source: BufferSpec["source"]) => buffers.push({ size, dtype: f32, source }) - 1
  const temporary = (size: number) => add(size, { kind: "temporary" })
  const large = [add(rows * columns, { kind: "input", name: "x" })]
  const small = [add(columns, { kind: "input", name: "bias" })]
  const shape = [rows, columns]
  const pick = (from: ReadonlyArray<number>) => from[Math.max(0, from.length - 1 - random(3))]
  for (let i = 0; i < length; i++) {
    const a = pick(large), b = pick(small)
    if (random(4) === 0) {
      const to = temporary(columns)
      calls.push({
        kernel: "columns",
        space: shape,
        outerAxes: 0,
        kind: random(2) === 0 ? "sum" : "max",
        body: [
          { op: "load", operand: 0, dtype: f32 },
          { op: "constant", value: 1 / rows, dtype: f32 },
          { op: "mul", args: [0, 1], dtype: f32 },
        ],
        result: 2,
        inputs: [view(a, shape)],
        output: view(to, [columns]),
      })
      small.push(to)
    } else if (random(2) === 0) {
      const to = temporary(columns)
      calls.push({
        kernel: "rows",
        space: [columns],
        body: [{ op: "load", operand: 0, dtype: f32 }, { op: "tanh", args: [0], dtype: f32 }],
        inputs: [view(b, [columns])],
        outputs: [{ step: 1, view: view(to, [columns]) }],
      })
      small.push(to)
    } else if (random(3) === 0) {
      const to = temporary(rows * columns), square = temporary(columns * columns)
      calls.push(
        {
          kernel: "matmul",
          a: view(a, [columns, rows], [1, columns]),
          b: view(a, shape),
          output: view(square, [columns, columns]),
        },
        { kernel: "matmul", a: view(a, shape), b: view(square, [columns, columns]), output: view(to, shape) },
        {
          kernel: "rows",
          space: shape,
          body: [
            { op: "load", operand: 0, dtype: f32 },
            { op: "reduce", kind: "max", args: [0], dtype: f32 },
            { op: "abs", args: [1], dtype: f32 },
            { op: "constant", value: 1, dtype: f32 },
            { op: "add", args: [2, 3], dtype: f32 },
            { op: "div", args: [0, 4], dtype: f32 },
            { op: "tanh", args: [5], dtype: f32 },
          ],
          inputs: [view(to, shape)],
          outputs: [{ step: 6, view: view(to, shape) }],
        },
      )
      large.push(to)
    } else {
      const to = temporary(rows * columns)
      calls.push({
        kernel: "rows",
        space: shape,
        body: [
          { op: "load", operand: 0, dtype: f32 },
          { op: "load", operand: 1, dtype: f32 },
          { op: "add", args: [0, 1], dtype: f32 },
          { op: "load", operand: 2, dtype: f32 },
          { op: "sub", args: [2, 3], dtype: f32 },
          { op: "sin", args: [4], dtype: f32 },
        ],
        inputs: [view(a, shape), view(b, shape, [0, 1]), view(pick(large), shape)],
        outputs: [{ step: 5, view: view(to, shape) }],
      })
      large.push(to)
    }
  }
  return {
    name: `tangle ${seed}`,
    buffers,
    calls,
    outputs: [
      { name: "large", view: view(large.at(-1)!, shape), dtype: f32 },
      { name: "small", view: view(small.at(-1)!, [columns]), dtype: f32 },
    ],
  }
}

const inputs = { x: noise(rows * columns), bias: noise(columns, 2) }

Deno.test("lower: tangled programs equal the reference, and themselves with any number of threads", async () => {
  const first = new Map<string, Int32Array>()
  for (const threads of [1, 2, 3]) {
    await withBackend({ threads }, async (backend) => {
      for (let seed = 1; seed <= 6; seed++) {
        const program = tangle(seed, 14)
        const executable = await backend.compile(program)
        const want = interpret(program, new Map(), inputs)
        for (let turn = 0; turn < 15; turn++) {
          const got = await executable.run(inputs)
          for (const name of ["large", "small"]) {
            const key = `${seed} ${name}`
            const bits = new Int32Array(got[name].buffer)
            const before = first.get(key)
            if (before !== undefined) {
              assert(bits.every((value, i) => value === before[i]), `${key}, ${threads} threads`)
            }
            first.set(key, bits)
            const worst = want[name].reduce((most, value, i) => Math.max(most, Math.abs(value - got[name][i])), 0)
            assert(worst < 1e-3, `${key}: ${worst} from the reference`)
          }
        }
      }
    })
  }
})

Deno.test("lower: temporaries share memory, equal calls share code, small calls need no barrier", () => {
  const chain = (length: number, size: number): Program => ({
    name: "chain",
    buffers: [
      { size, dtype: f32, source: { kind: "input", name: "x" } },
      ...Array.from({ length }, (): BufferSpec => ({ size, dtype: f32, source: { kind: "temporary" } })),
    ],
    calls: Array.from({ length }, (_, i): Call => ({
      kernel: "rows",
      space: [size],
      body: [{ op: "load", operand: 0, dtype: f32 }, { op: "exp", args: [0], dtype: f32 }],
      inputs: [view(i, [size])],
      outputs: [{ step: 1, view: view(i + 1, [size]) }],
    })),
    outputs: [{ name: "y", view: view(length, [size]), dtype: f32 }],
  })
  const options = { target: { relaxed: false }, threads: 2, shared: true, slotAddress: () => 0 }
  const small = lower(chain(50, 16), options), large = lower(chain(50, 65536), options)
  assertEquals(small.arenaBytes, 128)
  assertEquals(small.barriers, 2)
  assertEquals(large.barriers, 51)
  assert(lower(chain(51, 16), options).code.length - small.code.length < 64)
  assertEquals(lower(chain(50, 65536), { ...options, shared: false }).barriers, 0)
})
