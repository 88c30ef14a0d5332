import { call as callFunction, forRange, get, i32, increase, set, v128 } from "../wasm/assembler.ts"
import { groupedStage, itemsPerUnit, type KernelEmitter } from "../wasm/kernel.ts"
import { countBlocksFrom, loadStored } from "../wasm/lanes.ts"
import type { DecodeCall } from "./kernel.ts"

/** Writes a `decode` call: four elements are an item. */
export const emitDecode: KernelEmitter<DecodeCall> = ({ input, output }, { module, address, encoding }) => {
  const from = encoding(input.buffer)
  const func = module.once(
    `decode ${from.name}`,
    () =>
      module.func("decode", ["i32", "i32", "i32"], [], (f, begin, end, to) => {
        const [four, at] = [f.local("i32"), f.local("i32")]
        return [
          set(at, i32.add(get(to), i32.mul(get(begin), i32.const(16)))),
          forRange(four, get(begin), get(end), 1, [
            v128.store(get(at), loadStored(module, from, i32.mul(get(four), i32.const(4)), 1, 4, 0)),
            increase(at, 16),
          ]),
        ]
      }),
  )
  const fours = input.shape[0] / 4
  return [groupedStage(fours, itemsPerUnit(fours, 16), (begin, end) => [
    countBlocksFrom(module, address(input.buffer)),
    callFunction(func, begin, end, address(output.buffer)),
  ])]
}
