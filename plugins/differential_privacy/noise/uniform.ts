/**
 * Random numbers by ChaCha as an operation of graphs, with a kernel for each backend.
 * @module
 */
import { node, type Operation, type Tensor } from "../../../core/tensor/tensor.ts"
import { contiguous, type Kernel, type View, wasm, wgsl } from "../../../kernels/mod.ts"
import { BLOCK, chachaBlock, CONSTANTS, eachPart } from "./chacha.ts"

/** Blocks whose words alternate in memory: element `64 g + 4 w + l` is word w of block `4 g + l`. */
const LANES = 4

/** Instructions of a block, for profiles. */
const WORK = 10 * 32 * 5 + 2 * BLOCK

/** output[i] = (word i / 2^8 + 1) / 2^24. */
interface UniformCall {
  readonly kernel: "differential_privacy/uniform"
  /** i32 [8]. */
  readonly key: View
  /** First word of the nonce: i32 [1]. */
  readonly step: View
  /** Second word of the nonce. */
  readonly stream: number
  /** f32 [64 n], contiguous. */
  readonly output: View
}

/** From 2^-24 to 1, exact in a float32. */
const fraction = (word: number): number => ((word >>> 8) + 1) * 2 ** -24

function fractions(
  key: ArrayLike<number>,
  step: number,
  stream: number,
  output: (index: number, x: number) => void,
  size: number,
): void {
  for (let block = 0; block < size / BLOCK; block++) {
    const words = chachaBlock(key, block, [step, stream, 0])
    const first = BLOCK * LANES * Math.floor(block / LANES) + block % LANES
    words.forEach((word, i) => output(first + LANES * i, fraction(word)))
  }
}

const { get, set, i32, i32x4, f32x4, v128 } = wasm

/** `(begin, end, key, step, stream, output)`: four blocks for each unit. */
function writeGroups(module: wasm.ModuleBuilder): number {
  return module.func(
    "chacha_uniform",
    ["i32", "i32", "i32", "i32", "i32", "i32"],
    [],
    (f, begin, end, key, step, stream, output) => {
      const group = f.local("i32")
      const initial = Array.from({ length: BLOCK }, () => f.local("v128"))
      const words = Array.from({ length: BLOCK }, () => f.local("v128"))
      const splat = (address: number, word: number) => i32x4.splat(i32.load(i32.add(get(address), i32.const(4 * word))))
      const counter = v128.const(0, 1, 2, 3)
      const rounds: Array<wasm.Code> = []
      eachPart((a, b, d, rotation) => {
        rounds.push(
          set(words[a], i32x4.add(get(words[a]), get(words[b]))),
          set(words[d], v128.xor(get(words[d]), get(words[a]))),
          set(
            words[d],
            v128.or(
              i32x4.shl(get(words[d]), i32.const(rotation)),
              i32x4.shrU(get(words[d]), i32.const(32 - rotation)),
            ),
          ),
        )
      })
      const round = f.local("i32")
      return [
        CONSTANTS.map((word, i) => set(initial[i], i32x4.const(word | 0))),
        Array.from({ length: 8 }, (_, i) => set(initial[4 + i], splat(key, i))),
        set(initial[13], splat(step, 0)),
        set(initial[14], i32x4.splat(get(stream))),
        set(initial[15], i32x4.const(0)),
        wasm.forRange(group, get(begin), get(end), 1, [
          set(initial[12], i32x4.add(i32x4.splat(i32.mul(get(group), i32.const(LANES))), counter)),
          words.map((word, i) => set(word, get(initial[i]))),
          wasm.forRange(round, i32.const(0), i32.const(10), 1, rounds),
          words.map((word, i) =>
            v128.store(
              i32.add(
                i32.add(get(output), i32.mul(get(group), i32.const(4 * BLOCK * LANES))),
                i32.const(4 * LANES * i),
              ),
              f32x4.mul(
                f32x4.convertS(
                  i32x4.add(i32x4.shrU(i32x4.add(get(word), get(initial[i])), i32.const(8)), i32x4.const(1)),
                ),
                f32x4.const(2 ** -24),
              ),
            )
          ),
        ]),
      ]
    },
  )
}

/** WGSL of one block: `words` in w0 to w15. */
function shaderBlock(load: (word: number) => string, step: string, stream: number): string {
  const initial = [
    ...CONSTANTS.map((word) => `${word}u`),
    ...Array.from({ length: 8 }, (_, i) => load(i)),
    "block",
    step,
    `${stream}u`,
    "0u",
  ]
  const parts: Array<string> = []
  eachPart((a, b, d, rotation) =>
    parts.push(`    w${a} += w${b};
    w${d} ^= w${a};
    w${d} = (w${d} << ${rotation}u) | (w${d} >> ${32 - rotation}u);`)
  )
  return `${initial.map((word, i) => `  let s${i} = ${word};\n  var w${i} = s${i};`).join("\n")}
  for (var round = 0; round < 10; round++) {
${parts.join("\n")}
  }
`
}

const uniformKernel: Kernel<UniformCall> = {
  name: "differential_privacy/uniform",
  views: { key: "read", step: "read", output: "write" },
  work: ({ output }) => ({ flops: output.shape[0] / BLOCK * WORK }),
  shapes: ({ output }) => `[${output.shape}]`,
  lower: ([numbers], { buffer, viewAs }) => ({
    kernel: "differential_privacy/uniform",
    key: viewAs(numbers.inputs[0], [8], true),
    step: viewAs(numbers.inputs[1], [1], true),
    stream: numbers.attributes.stream as number,
    output: contiguous(buffer(numbers), numbers.shape),
  }),
  reference: ({ key, step, stream, output }, buffers) =>
    fractions(
      Array.from({ length: 8 }, (_, i) => buffers[key.buffer][key.offset + i]),
      buffers[step.buffer][step.offset],
      stream,
      (index, x) => buffers[output.buffer][output.offset + index] = x,
      output.shape[0],
    ),
  wasm: ({ key, step, stream, output }, { module, address }) => {
    const func = module.once("differential_privacy/uniform", () => writeGroups(module))
    const at = ({ buffer, offset }: View) => i32.add(address(buffer), i32.const(4 * offset))
    const groups = output.shape[0] / (BLOCK * LANES)
    return [
      wasm.groupedStage(
        groups,
        wasm.itemsPerUnit(groups, LANES * WORK),
        (begin, end) => wasm.call(func, begin, end, at(key), at(step), i32.const(stream), at(output)),
      ),
    ]
  },
  wgsl: ({ key, step, stream, output }, { device, shader: begin }) => {
    const shader = begin()
    const keys = shader.read(key.buffer, "i32"), steps = shader.read(step.buffer, "i32")
    const to = shader.write(output.buffer, "f32")
    const blocks = output.shape[0] / BLOCK
    const { workgroups, number } = wgsl.lineOfWorkgroups(Math.ceil(blocks / wgsl.GROUP), device)
    const word = (load: string) => `bitcast<u32>(${load})`
    const store = (i: number) => to.store(`first + ${LANES * i}u`, `f32(((w${i} + s${i}) >> 8u) + 1u) * ${2 ** -24}f`)
    const code = `@compute @workgroup_size(${wgsl.GROUP})
fn main(${wgsl.PARAMETERS}) {
  let block = ${number} * ${wgsl.GROUP}u + thread;
  if (block >= ${blocks}u) { return; }
${shaderBlock((i) => word(keys.load(`${key.offset + i}u`)), word(steps.load(`${step.offset}u`)), stream)}
  let first = ${output.offset}u + (block / ${LANES}u) * ${BLOCK * LANES}u + block % ${LANES}u;
${Array.from({ length: BLOCK }, (_, i) => `  ${store(i)}`).join("\n")}
}
`
    return [shader.finish({ label: `uniform by ChaCha [${output.shape}]`, code, workgroups })]
  },
}

const uniformOperation: Operation = {
  name: "differential_privacy/uniform",
  kernel: uniformKernel,
  derivative: () => [undefined, undefined],
  reference: ({ attributes, shape }, [key, step]) => {
    const numbers = new Float64Array(shape[0])
    fractions(key, step[0], attributes.stream as number, (index, x) => numbers[index] = x, shape[0])
    return numbers
  },
}

/**
 * Random numbers from 2^-24 to 1, f32 [n]: n is `least` or up to 63 more.
 *
 * @param key i32 [8]
 * @param step Step of the run: i32 [].
 * @param stream Another stream of one key and step.
 */
export function uniformByChaCha(key: Tensor, step: Tensor, stream: number, least: number): Tensor {
  const group = BLOCK * LANES
  return node(uniformOperation, [key, step], [Math.max(1, Math.ceil(least / group)) * group], "f32", { stream })
}
