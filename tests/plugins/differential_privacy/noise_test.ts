import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { Backend, Espalier, ops } from "@espalier/espalier"
import { build, evaluateAll } from "@espalier/espalier/plugin"
import { chachaBlock } from "../../../plugins/differential_privacy/noise/chacha.ts"
import { secureNormal } from "../../../plugins/differential_privacy/noise/normal.ts"
import { uniformByChaCha } from "../../../plugins/differential_privacy/noise/uniform.ts"

Deno.test("ChaCha gives the block of RFC 8439, section 2.3.2", () => {
  const bytes = Uint8Array.from({ length: 32 }, (_, i) => i)
  const block = chachaBlock(new Uint32Array(bytes.buffer), 1, [0x09000000, 0x4a000000, 0])
  assertEquals([...block.slice(0, 4)], [0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3])
  assertEquals([...block.slice(12)], [0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2])
})

const key = Int32Array.of(1, -2, 3, -4, 5, -6, 7, -8)
const [keyInput, stepInput] = [ops.input("key", [8], { dtype: "i32" }), ops.input("step", [], { dtype: "i32" })]

for (const backend of ["wasm", "webgpu"] as const) {
  const adapter = backend === "wasm" || await navigator.gpu?.requestAdapter() != null
  const options = {
    name: `noise on ${backend}${adapter ? "" : " (NOT RUN: no WebGPU adapter)"}`,
    ignore: !adapter,
  }
  const run = (outputs: Record<string, ReturnType<typeof secureNormal>>, step: number) =>
    Effect.gen(function* () {
      const engine = yield* Backend
      const executable = yield* Effect.promise(() => engine.compile(build({ name: "noise", outputs, updates: [] })))
      return yield* Effect.promise(() => executable.run({ key, step: Int32Array.of(step) }))
    }).pipe(Effect.provide(Espalier.layerWith({ backend }), { local: true }), Effect.scoped, Effect.runPromise)

  Deno.test({
    ...options,
    name: `${options.name}: words as in the reference, another stream for each step and parameter`,
    fn: async () => {
      const outputs = {
        first: uniformByChaCha(keyInput, stepInput, 0, 300),
        second: uniformByChaCha(keyInput, stepInput, 1, 300),
      }
      const got = await run(outputs, 7)
      const want = evaluateAll(Object.values(outputs), { inputs: { key, step: [7] } })
      assertEquals(got.first.length, 320)
      Object.values(got).forEach((numbers, i) => assertEquals([...numbers], [...want[i]]))
      const later = await run(outputs, 8)
      const all = [...got.first, ...got.second, ...later.first, ...later.second]
      assert(new Set(all).size > all.length - 3, "numbers come again")
    },
  })

  Deno.test({
    ...options,
    name: `${options.name}: mean, variance, tails and independence of a million numbers`,
    fn: async () => {
      const size = 500_000
      const noise = await run({
        a: secureNormal(keyInput, stepInput, 0, [size]),
        b: secureNormal(keyInput, stepInput, 1, [size]),
      }, 1)
      const [a, b] = [Float64Array.from(noise.a), Float64Array.from(noise.b)]
      const all = Float64Array.from([...a, ...b]), n = all.length
      const moment = (power: number) => all.reduce((sum, x) => sum + x ** power, 0) / n
      // Within five standard errors of the moments of the normal distribution.
      const near = (value: number, wanted: number, variance: number, what: string) =>
        assert(Math.abs(value - wanted) < 5 * Math.sqrt(variance / n), `${what} is ${value}`)
      near(moment(1), 0, 1, "the mean")
      near(moment(2), 1, 2, "the variance")
      near(moment(3), 0, 15, "the skewness")
      near(moment(4), 3, 96, "the kurtosis")
      for (const [bound, share] of [[1, .317310508], [2, .045500264], [3, .002699796], [4, 6.334248e-5]]) {
        const beyond = all.filter((x) => Math.abs(x) > bound).length / n
        near(beyond, share, share, `the share beyond ${bound}`)
      }
      const correlation = (other: (i: number) => number) => a.reduce((sum, x, i) => sum + x * other(i), 0) / size
      for (const lag of [1, 2, 4, 16, 64]) {
        near(correlation((i) => a[(i + lag) % size]), 0, 2, `the correlation at a distance of ${lag}`)
      }
      near(correlation((i) => b[i]), 0, 2, "the correlation of two streams")
    },
  })
}
