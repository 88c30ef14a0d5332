import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert"
import type { BackendService } from "../../../../core/backend/backend.ts"
import { BackendError } from "../../../../core/backend/backend_error.ts"
import type { WasmOptions } from "../../../../core/backend/wasm/backend.ts"
import { build } from "../../../../core/graph/build.ts"
import { gradients } from "../../../../core/graph/rewrite/gradients.ts"
import * as ops from "../../../../core/tensor/ops.ts"
import { ShapeError } from "../../../../core/tensor/shape_error.ts"
import type { Tensor } from "../../../../core/tensor/tensor.ts"
import type { StoredAs } from "../../../../kernels/contract.ts"
import type { BlockEncoding } from "../../../../kernels/encoding.ts"
import { encodingOf } from "../../../../kernels/encodings.ts"
import { nf4 } from "../../../../kernels/encodings/nf4.ts"
import { Q4_1 } from "../../../../kernels/encodings/q4_1.ts"
import { Q4_K } from "../../../../kernels/encodings/q4_k.ts"
import { Q5_0 } from "../../../../kernels/encodings/q5_0.ts"
import { Q6_K } from "../../../../kernels/encodings/q6_k.ts"
import { noise } from "../../../kernels/compare.ts"
import { importPage } from "../../../support/page.ts"
import { withBackend } from "./with_backend.ts"

const { q8 } = await importPage<{ readonly q8: BlockEncoding }>("docs/add_a_encoding.md")

const [ROWS, WIDTH] = [70, 256]
/** One matrix a memory, none in the first. */
const APART = [0, 4 * ROWS * WIDTH] as const

const product = (m: number, w: Tensor): Tensor =>
  ops.matmul(ops.constant(noise(m * WIDTH, m), [m, WIDTH]), w, { transposeB: true })
const graphs: Record<string, (v: Tensor, w: Tensor) => Tensor> = {
  "products of one row": (v, w) => ops.add(product(1, v), product(1, w)),
  "products of few rows": (v, w) => ops.mul(product(5, v), product(5, w)),
  "products of many rows": (v, w) => ops.add(product(70, v), product(70, w)),
  "products by the input": (v) => {
    const x = ops.constant(noise(40 * WIDTH, 6), [40, WIDTH])
    const y = ops.matmul(x, v, { transposeB: true })
    return gradients(ops.sum(ops.mul(y, y)), [x])[0]
  },
  "products of both": (v, w) => ops.matmul(v, w, { transposeB: true }),
  "product with an epilogue": (v, w) => {
    const square = ops.constant(noise(ROWS * ROWS, 5), [ROWS, ROWS])
    return ops.mul(ops.add(ops.matmul(square, v), w), ops.slice(w, [0, 3], [ROWS, 1]))
  },
  gather: (v) => ops.gather(v, ops.constant(Int32Array.of(1, 0, 69, -1), [4])),
  "rows and columns": (v, w) => ops.sum(ops.softmax(ops.mul(v, ops.flip(w, 0))), [0]),
  "a part as it is": (v) => ops.slice(v, [3, 5], [40, 30]),
  attention: (v, w) => {
    const heads = (x: Tensor) => ops.reshape(ops.slice(x, [0, 0], [16, WIDTH]), [1, 2, 16, WIDTH / 2])
    return ops.attention(heads(v), heads(w), heads(v), { causal: true })
  },
}

/** Encodings that have no encoder, and where a block has numbers in half precision. */
const HALVES = new Map<StoredAs, ReadonlyArray<number>>([[Q5_0, [0]], [Q4_K, [0, 2]], [Q6_K, [208]]])

/** Numbers, or random blocks with scales that are not large. */
const dataFor = (storage: StoredAs, seed: number): Float32Array | Uint8Array => {
  const halves = HALVES.get(storage)
  const numbers = noise(ROWS * WIDTH, seed)
  if (halves === undefined) return numbers
  const { block, blockBytes } = storage as BlockEncoding
  const bytes = Uint8Array.from(numbers.subarray(0, ROWS * WIDTH / block * blockBytes), (x) => 128 * x + 128)
  for (let at = 0; at < bytes.length; at += blockBytes) {
    for (const half of halves) bytes.set([0x33, half === 0 ? 0x2c : 0xa8], at + half)
  }
  return bytes
}

/** The results of all graphs over two frozen matrices, and what is read back of those. */
const results = (options: WasmOptions, storage: StoredAs): Promise<Record<string, Float32Array | Int32Array>> =>
  withBackend(options, async (backend) => {
    const slots = [1, 2].map((seed) => {
      const slot = backend.allocate(`w${seed}`, [ROWS, WIDTH], "f32", storage, { readOnly: true })
      return { slot, data: dataFor(storage, seed) }
    })
    for (const { slot, data } of slots) {
      // In pieces, and the second first.
      const half = data.length / 2
      await backend.write(slot, data.subarray(half), ROWS / 2 * WIDTH)
      await backend.write(slot, data.subarray(0, half))
    }
    const [v, w] = slots.map(({ slot }) => ops.slot(slot))
    const outputs = Object.fromEntries(Object.entries(graphs).map(([name, graph]) => [name, graph(v, w)]))
    const executable = await backend.compile(build({ name: "all", outputs, updates: [] }))
    const [first, second] = await Promise.all(slots.map(({ slot }) => backend.read(slot)))
    return { ...await executable.run({}), first, second }
  })

const same = (a: Float32Array | Int32Array, b: Float32Array | Int32Array): boolean =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]))

const WIDE: WasmOptions = { threads: 2, wideVectors: true }
/** Whose products have bits of their own. */
const PLAIN: WasmOptions = { threads: 2, relaxedSimd: false }

for (const storage of ["f32", "bf16", q8, Q4_1, nf4(), ...HALVES.keys()]) {
  const { name } = encodingOf(storage)
  Deno.test(`wasm: frozen weights in ${name} give the same bits in further memories as in the first`, async () => {
    const computed = await results({ threads: 1 }, storage)
    for (
      const options of [{ threads: 1 }, { threads: 3 }, { sharedMemory: false }, WIDE, PLAIN]
    ) {
      const want = options === PLAIN ? await results(options, storage) : computed
      const further = await results({ ...options, frozenBytes: APART }, storage)
      for (const graph in want) assert(same(further[graph], want[graph]), `${graph}, ${JSON.stringify(options)}`)
    }
  })
}

/** Columns so few that two matrices have room in a page. */
const NARROW = 64
const matrix = (backend: BackendService, name: string, rows = ROWS) =>
  backend.allocate(name, [rows, NARROW], "f32", "f32", { readOnly: true })

Deno.test("wasm: a further memory is made for what is frozen and has no room in the first, and is used again", () =>
  withBackend({ threads: 2, frozenBytes: [4 * ROWS * NARROW, 8 * ROWS * NARROW] }, async (backend) => {
    const pages = () => backend.memory().totalBytes / 65536
    backend.allocate("trained", [ROWS, NARROW])
    matrix(backend, "first")
    const before = pages()
    const second = matrix(backend, "second")
    assertEquals(pages(), before + 1)
    matrix(backend, "beside the second")
    assertEquals(pages(), before + 1)
    const third = matrix(backend, "third")
    assertEquals(pages(), before + 2)
    await backend.write(second, noise(ROWS * NARROW, 7))
    await backend.write(third, noise(ROWS * NARROW, 8))
    backend.free(second)
    const again = matrix(backend, "in place of the second")
    assertEquals(pages(), before + 2)
    assertEquals(await backend.read(again), new Float32Array(ROWS * NARROW))
    assertEquals(await backend.read(third), noise(ROWS * NARROW, 8))
  }))

Deno.test("wasm: what a model needs is told before memory is taken", async () => {
  const weights = (count: number, readOnly: boolean) =>
    Array.from(
      { length: count },
      (_, i) => ({ name: `w${i}`, shape: [2 ** 14, 2 ** 14], dtype: "f32", readOnly }) as const,
    )
  await withBackend({ threads: 1, severalMemories: false }, async (backend) => {
    const before = backend.memory()
    await backend.checkRoom(weights(3, true), "a small model")
    const error = await assertRejects(() => backend.checkRoom(weights(5, true), "a large model"), BackendError)
    assertEquals(error.reason, "OutOfMemory")
    for (const part of ["a large model", "5120.0 MiB", "one memory", "Node from 22 on"]) {
      assertStringIncludes(error.message, part)
    }
    assertEquals(backend.memory(), before)
  })
  await withBackend({ threads: 1 }, async (backend) => {
    await backend.checkRoom(weights(5, true), "a large model")
    await assertRejects(() => backend.checkRoom(weights(5, false), "it"), BackendError, "5120.0 MiB, 0.0 MiB of them")
    const tensor = { name: "w", shape: [2 ** 15, 2 ** 15], dtype: "f32", readOnly: true } as const
    await assertRejects(() => backend.checkRoom([tensor], "it"), BackendError, '"w" [32768,32768] takes 4096.0 MiB')
    await backend.checkRoom([{ ...tensor, storage: "bf16" }], "it")
  })
})

Deno.test("wasm: without further memories the first takes all that it can", () =>
  withBackend({ threads: 1, severalMemories: false, frozenBytes: [0, 0] }, async (backend) => {
    const slot = matrix(backend, "weights")
    await backend.write(slot, noise(ROWS * NARROW))
    assertEquals(await backend.read(slot), noise(ROWS * NARROW))
    assertThrows(() => matrix(backend, "too large", 2 ** 24), BackendError, 'No room for slot "too large"')
  }))

Deno.test("wasm: what is read-only is refused where a program writes it", () =>
  withBackend({ threads: 1 }, (backend) => {
    const slot = matrix(backend, "weights")
    const updates = [[slot, ops.full(0, [ROWS, NARROW])] as const]
    assertThrows(() => build({ name: "step", outputs: {}, updates }), ShapeError, "Slot weights is read-only")
    return Promise.resolve()
  }))
