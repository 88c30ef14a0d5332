/**
 * Slots of 16 bits on a backend.
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert"
import type { BackendService } from "../../../core/backend/backend.ts"
import { BackendError } from "../../../core/backend/backend_error.ts"
import { build } from "../../../core/graph/build.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { ShapeError } from "../../../core/tensor/shape_error.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { decode, encode, type Storage } from "../../kernels/halves.ts"
import { noise } from "../../kernels/compare.ts"

type Half = Exclude<Storage, "f32">

/** Zeros, ties, subnormals, the largest numbers, infinities, and the edges between them. */
const EDGES = [
  [0, -0, 1, -1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 / 3, -2 / 3],
  [2 ** -14, 2 ** -15, -(2 ** -24), 3 * 2 ** -25, 2 ** -25, 2 ** -26, 1e-7, 2 ** -126, 1e-40],
  [65504, 65519, 65520, -65536, 3.3e38, 3.4e38, -Infinity, Infinity],
].flat()

const rounded = (data: Float32Array, storage: Half): Float32Array<ArrayBuffer> => {
  const halves = new Uint16Array(data.length)
  encode(storage, data, halves)
  return decode(storage, halves)
}
const same = (got: ArrayLike<number>, want: ArrayLike<number>, what: string): void => {
  assertEquals(got.length, want.length)
  for (let i = 0; i < want.length; i++) {
    assert(Object.is(got[i], want[i]), `${what}: element ${i} is ${got[i]}, not ${want[i]}`)
  }
}

/** Writing and reading, whole and in pieces, by hand and by a program. */
export const roundTrips = async (backend: BackendService): Promise<void> => {
  for (const storage of ["bf16", "f16"] as const) {
    const data = Float32Array.from([...EDGES, ...noise(4), ...EDGES.map((x) => -x)])
    const want = rounded(data, storage)
    const own = backend.allocate("edges", [data.length], "f32", storage)
    assertEquals(own.storage, storage)
    same(await backend.read(own), new Float32Array(data.length), "fresh")
    await backend.write(own, data)
    same(await backend.read(own), want, storage)
    for (const start of [0, 1, 2, 3]) {
      // As fours and one by one.
      for (const count of [4 * Math.floor((data.length - start) / 4), data.length - start]) {
        const program = build({
          name: "decode",
          outputs: { y: ops.slice(ops.slot(own), [start], [count]) },
          updates: [],
        })
        const executable = await backend.compile(program)
        const { y } = await executable.run({})
        executable.dispose()
        same(y, want.slice(start, start + count), `${storage} by a program from ${start} on`)
      }
    }
    backend.free(own)

    const odd = backend.allocate("odd", [9, 37], "f32", storage)
    const held = rounded(noise(9 * 37, 2), storage)
    const pieces: Promise<void>[] = [backend.write(odd, held)]
    for (
      const [at, count] of [[0, 1], [1, 1], [5, 2], [8, 3], [8, 0], [31, 64], [32, 63], [100, 33], [332, 1], [331, 2]]
    ) {
      const part = rounded(noise(count, at + 3), storage)
      pieces.push(backend.write(odd, part, at))
      held.set(part, at)
    }
    const read = backend.read(odd)
    await Promise.all(pieces)
    same(await read, held, `${storage} in pieces`)
    backend.free(odd)
  }
}

/** Each kernel gives the bits that it gives for the same numbers in f32, in long loops as in short ones. */
export const sameAsWhole = async (backend: BackendService): Promise<void> => {
  const graphs: Record<string, (x: Tensor, y: Tensor) => Tensor> = {
    "rows, long": (x, y) => ops.mul(ops.add(x, y), y),
    "rows, reduced": (x, y) => ops.softmax(ops.mul(x, y)),
    "rows, one value a row": (x, y) => ops.mul(x, ops.slice(y, [0, 3], [y.shape[0], 1])),
    "rows, turned": (x, y) => ops.add(ops.permute(x, [1, 0]), ops.permute(ops.flip(y, 0), [1, 0])),
    "rows, between": (x) => ops.slice(x, [1, 1], [x.shape[0] - 1, x.shape[1] - 2]),
    columns: (x, y) => ops.sum(ops.mul(x, y), [0]),
    "columns, maximum": (x, y) => ops.maximum(ops.mul(x, ops.slice(y, [0, 0], [y.shape[0], 1])), [0]),
    gather: (x) => ops.gather(x, ops.constant(Int32Array.of(1, 0, 1, -1), [4])),
    "product, left": (x) => ops.matmul(x, ops.constant(noise(x.shape[1] * 24, 5), [x.shape[1], 24])),
    "product, right": (x) =>
      ops.matmul(ops.constant(noise(x.shape[1] * 24, 5), [24, x.shape[1]]), x, { transposeB: true }),
    "product, right upright": (x) => ops.matmul(ops.constant(noise(x.shape[0] * 24, 5), [24, x.shape[0]]), x),
    "product of two": (x, y) => ops.matmul(x, y, { transposeB: true }),
    "product with an epilogue": (x, y) => {
      const square = ops.constant(noise(x.shape[0] ** 2, 5), [x.shape[0], x.shape[0]])
      return ops.mul(ops.add(ops.matmul(square, x), y), ops.slice(y, [0, 3], [y.shape[0], 1]))
    },
  }
  for (const storage of ["bf16", "f16"] as const) {
    for (const shape of [[2, 20_000], [2000, 66], [37, 37], [32, 64]]) {
      const size = shape[0] * shape[1]
      const data = [1, 2].map((seed) => rounded(noise(size, seed), storage))
      const run = async (kept: Storage) => {
        const own = data.map((_, i) => backend.allocate(`${i}`, shape, "f32", kept))
        for (const [i, one] of own.entries()) await backend.write(one, data[i])
        const [x, y] = own.map(ops.slot)
        const large = ["product of two", "product with an epilogue"]
        const few = Object.entries(graphs).filter(([name]) => !large.includes(name) || size < 10_000)
        const outputs = Object.fromEntries(few.map(([name, make]) => [name, make(x, y)]))
        const executable = await backend.compile(build({ name: "kernels", outputs, updates: [] }))
        const results = await executable.run({})
        executable.dispose()
        own.forEach(backend.free)
        return results
      }
      const want = await run("f32"), got = await run(storage)
      for (const name in want) same(got[name], want[name], `${name} of ${storage} [${shape}]`)
    }
  }
}

/** Bytes, and what is refused. */
export const limits = async (backend: BackendService): Promise<void> => {
  const before = backend.memory().slotBytes
  const whole = backend.allocate("whole", [64, 1024])
  const bytes = backend.memory().slotBytes - before
  backend.free(whole)
  const half = backend.allocate("half", [64, 1024], "f32", "bf16")
  assertEquals(backend.memory().slotBytes - before, bytes / 2)
  assertThrows(() => backend.allocate("x", [2], "i32", "f16"), BackendError, "i32")
  await assertRejects(() => backend.write(half, new Float32Array(2), 64 * 1024 - 1), BackendError, "half")
  assertThrows(
    () => build({ name: "step", outputs: {}, updates: [[half, ops.add(ops.slot(half), ops.full(1))]] }),
    ShapeError,
    "bf16",
  )
  const { storage: _, ...unaware } = half
  const program = build({ name: "unaware", outputs: { y: ops.neg(ops.slot(unaware)) }, updates: [] })
  await assertRejects(() => backend.compile(program), BackendError, "kept in bf16")
  backend.free(half)
  assertEquals(backend.memory().slotBytes, before)
}
