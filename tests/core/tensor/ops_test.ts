import { assertThrows } from "@std/assert"
import * as ops from "../../../core/tensor/ops.ts"
import { ShapeError } from "../../../core/tensor/shape_error.ts"

Deno.test("operands that do not fit are errors where the graph is written", async (t) => {
  const x = ops.input("x", [3, 4])
  const whole = ops.input("i", [3], { dtype: "i32" })
  const wrong: Record<string, () => unknown> = {
    "an extent below 0": () => ops.input("j", [-1, 2]),
    "a reshape to extents below 0": () => ops.reshape(x, [-3, -4]),
    "a reshape that changes the size": () => ops.reshape(x, [5, -1]),
    "a box that begins between places": () => ops.slice(x, [0.5, 0], [1, 1]),
    "a box that reaches out": () => ops.slice(x, [2, 0], [2, 1]),
    "padding below 0": () => ops.pad(x, [-1, 0], [0, 0]),
    "padding of too few axes": () => ops.pad(x, [1], [0]),
    "nothing to join": () => ops.concat([], 0),
    "joined parts of other widths": () => ops.concat([x, ops.input("y", [3, 5])], 0),
    "an expansion to less": () => ops.expand(x, [1, 4]),
    "an order with an axis twice": () => ops.permute(x, [0, 0]),
    "a sum over an axis that is not there": () => ops.sum(x, [2]),
    "a sum over examples of a scalar": () => ops.batchSum(ops.sum(x)),
    "types that differ": () => ops.add(ops.sum(x, [1]), whole),
    "floats as a key": () => ops.uniform([3], 0, [ops.full(0), ops.full(0)]),
    "a product of unlike widths": () => ops.matmul(x, x),
    "labels of another shape": () => ops.crossEntropy(x, ops.input("l", [4], { dtype: "i32" })),
    "heads that do not divide": () =>
      ops.attention(ops.input("q", [1, 3, 2, 4]), ops.input("k", [1, 2, 2, 4]), ops.input("v", [1, 2, 2, 4])),
    ...Object.fromEntries(
      ([
        [{ keyLengths: ops.full(1, [2]) }],
        [{ keyLengths: ops.full(1, [3], "i32") }],
        [{ segments: ops.full(1, [2, 3], "i32"), prefix: 1 }],
        [{ queryStart: ops.full(1, [2, 2], "i32") }],
        [{ window: 0 }],
        [{ window: 1.5 }],
        [{ prefix: -1 }],
        [{ prefix: 4 }],
        [{}, { bias: ops.full(0, [2, 2, 5, 3]) }],
        [{}, { bias: ops.full(0, [5, 3]) }],
        [{}, { bias: ops.full(0, [2, 2, 5, 3], "i32") }],
        [{}, { factor: ops.full(0, [2, 2, 1, 3]) }],
      ] as ReadonlyArray<[ops.Visibility, ops.AttentionOptions?]>).map((given, i) => [
        `attention that cannot be (${i})`,
        () =>
          ops.attention(
            ops.input("q", [2, 2, 4, 4]),
            ops.input("k", [2, 1, 3, 4]),
            ops.input("v", [2, 1, 3, 4]),
            ...given,
          ),
      ]),
    ),
  }
  for (const [name, make] of Object.entries(wrong)) await t.step(name, () => void assertThrows(make, ShapeError))
})
