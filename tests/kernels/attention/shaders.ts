import { assert, assertEquals } from "@std/assert"
import type { BuiltinCall as Call } from "../../../kernels/builtin.ts"
import type { DeviceTraits } from "../../../kernels/wgsl/kernel.ts"
import type { Case } from "../compare.ts"
import { adapter, runAllBuffers, traits } from "../webgpu.ts"

type Reference = (call: Call, buffers: ReadonlyArray<Float64Array>) => void

/** What the buffers hold afterwards; it takes its time. */
const expected = ({ call, buffers }: Case, reference: Reference): ReadonlyArray<Float64Array> => {
  const exact = buffers.map((data) => Float64Array.from(data))
  reference(call, exact)
  return exact
}

/** Runs a case and compares all its buffers with float64. */
const check = async (
  device: GPUDevice,
  { name, call, buffers, tolerance = 2e-6 }: Case,
  want: ReadonlyArray<Float64Array>,
  target: DeviceTraits,
): Promise<void> => {
  const got = await runAllBuffers(device, call, buffers, target)
  assertEquals(await runAllBuffers(device, call, buffers, target), got, `${name}: not the same from run to run`)
  want.forEach((values, buffer) =>
    values.forEach((value, i) => {
      const x = got[buffer][i]
      const close = value === x || Math.abs(value - x) <= tolerance * (1 + Math.abs(value))
      assert(close, `${name}: element ${i} of buffer ${buffer} is ${x}, not ${value}`)
    })
  )
}

/** A device with subgroups or more bindings than every one has. */
const request = async (subgroups: boolean, bindings: number): Promise<GPUDevice | undefined> => {
  try {
    return await adapter?.requestDevice({
      requiredFeatures: (subgroups ? ["subgroups"] : []) as unknown as GPUFeatureName[],
      requiredLimits: { maxStorageBuffersPerShaderStage: bindings },
    })
  } catch {
    return undefined
  }
}
const bindings = Math.min(16, adapter?.limits.maxStorageBuffersPerShaderStage ?? 8)
const { subgroupMinSize: smallest = 0, subgroupMaxSize: largest = 0 } = (adapter?.info ?? {}) as {
  subgroupMinSize?: number
  subgroupMaxSize?: number
}
const shuffling = await request(true, bindings)
shuffling?.destroy()
const usable = shuffling !== undefined && smallest === largest && (smallest === 4 || smallest === 8)

/** Registers a test of the cases for each form of shader; visibly ignored where the machine cannot run one. */
export const onEachForm = (name: string, cases: ReadonlyArray<Case>, reference: Reference): void => {
  const exact = new Map<Case, ReadonlyArray<Float64Array>>()
  // Each shader takes up to a second to compile; where bindings are few, there is one for each shape.
  const some = (...names: ReadonlyArray<string>) => cases.filter(({ name }) => names.includes(name))
  const alike = ["wide window", "window of one", "prefix", "causal segments", "single segments", "a prefix alone"]
  const forms: ReadonlyArray<readonly [string, DeviceTraits, ReadonlyArray<Case>]> = [
    ["for a GPU", { ...traits(false), storageBindings: bindings }, cases],
    ["for a GPU with few bindings", traits(false), some("odd sizes", "earlier keys")],
    ["for a CPU without subgroups", { ...traits(true), storageBindings: bindings }, some("odd sizes", "earlier keys")],
    ["for a CPU with subgroups", {
      ...traits(true),
      subgroups: { smallest, largest },
      storageBindings: bindings,
    }, cases.filter((one) => !some("odd sizes", "one key", "only keys", "only values", ...alike).includes(one))],
  ]
  for (const [form, target, chosen] of forms) {
    const missing = adapter === null
      ? " (NOT RUN: no WebGPU adapter; mesa-vulkan-drivers brings one)"
      : usable || target.subgroups === undefined
      ? ""
      : " (not run: no subgroups of 4 or 8)"
    Deno.test({
      name: `webgpu: ${name} ${form}${missing}`,
      ignore: missing !== "",
      fn: async () => {
        const device = (await request(target.subgroups !== undefined, target.storageBindings))!
        for (const one of chosen) {
          if (!exact.has(one)) exact.set(one, expected(one, reference))
          await check(device, one, exact.get(one)!, target)
        }
        device.destroy()
      },
    })
  }
}
