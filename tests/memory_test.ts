import { assert, assertEquals } from "@std/assert"
import { onWebgpu } from "./core/backend/webgpu/_with_webgpu.ts"

const script = new URL("./_long_run.ts", import.meta.url).pathname

const median = (values: ReadonlyArray<number>) => [...values].sort((a, b) => a - b)[values.length >> 1]

/** 500 steps: resident memory grows by at most 2 % after the first 50, the backend's not at all. */
const staysLevel = async (backend: "wasm" | "webgpu"): Promise<void> => {
  const args = ["run", "--allow-read", "--v8-flags=--expose-gc", script, backend]
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output()
  const out = new TextDecoder().decode(stdout)
  assert(out !== "", new TextDecoder().decode(stderr))
  const { resident, total }: Record<string, number[]> = JSON.parse(out)
  assertEquals(resident.length, 500)
  const [first, last] = [median(resident.slice(50, 70)), median(resident.slice(480))]
  assert(first > 0 && last <= 1.02 * first, `${first} bytes, then ${last}`)
  // The most, for results on their way from a GPU are counted too.
  const [before, after] = [Math.max(...total.slice(0, 50)), Math.max(...total.slice(50))]
  assert(before > 0 && after <= before, `${before} bytes, then ${after}`)
}

Deno.test(
  "500 steps: resident memory grows by at most 2 % after the first 50, shared memory not at all",
  () => staysLevel("wasm"),
)

onWebgpu(
  "500 steps: resident memory grows by at most 2 % after the first 50, GPU memory not at all",
  () => staysLevel("webgpu"),
)
