/**
 * Q8_0 of GGUF: blocks of 32 numbers, a half float that scales 32 bytes with sign.
 * @module
 */
import { type BlockEncoding, F16, wasm } from "@espalier/espalier/kernels"

const BLOCK = 32, BYTES = 34
const { f32x4, i32, i32x4 } = wasm

/** The half float at an address, in all lanes. */
const scaleAt = (module: wasm.ModuleBuilder, address: wasm.Code): wasm.Code =>
  F16.decode.wasm(module, i32x4.splat(i32.load16S(address)))

/** Blocks of 32: d, then q; an element is d q. */
export const q8: BlockEncoding = {
  name: "seams/q8_0",
  block: BLOCK,
  blockBytes: BYTES,
  costly: true,
  encode: (data, to) => {
    for (let block = 0; block < data.length / BLOCK; block++) {
      const numbers = data.subarray(block * BLOCK, (block + 1) * BLOCK)
      const scale = numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127
      const bytes = to.subarray(block * BYTES, (block + 1) * BYTES)
      F16.encode!(Float32Array.of(scale), bytes.subarray(0, 2))
      numbers.forEach((x, i) => bytes[2 + i] = scale === 0 ? 0 : Math.round(x / scale))
    }
  },
  decode: {
    reference: (from, to) => {
      const scale = new Float32Array(1)
      for (let block = 0; block < to.length / BLOCK; block++) {
        const bytes = from.subarray(block * BYTES, (block + 1) * BYTES)
        F16.decode.reference(bytes.subarray(0, 2), scale)
        for (let i = 0; i < BLOCK; i++) to[block * BLOCK + i] = scale[0] * (bytes[2 + i] << 24 >> 24)
      }
    },
    wasm: (module, address, first) => {
      const numbers = i32x4.fromBytesS(wasm.v128.load32Zero(i32.add(address, first), 2))
      return f32x4.mul(scaleAt(module, address), f32x4.convertS(numbers))
    },
    wgsl: (address, first, bytes) => {
      const q = bytes(`${address} + 2u + ${first}`)
      const numbers = `bitcast<vec4<i32>>(vec4<u32>(${q}) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u)`
      return `unpack2x16float(${bytes(address)}).x * vec4<f32>(${numbers})`
    },
  },
}
