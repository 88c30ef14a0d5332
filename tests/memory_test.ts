import { assert, assertEquals } from "@std/assert"

const script = new URL("./_long_run.ts", import.meta.url).pathname

const median = (values: ReadonlyArray<number>) => [...values].sort((a, b) => a - b)[values.length >> 1]

Deno.test("500 steps: resident memory grows by at most 2 % after the first 50, shared memory not at all", async () => {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: ["run", "--allow-read", script] }).output()
  const out = new TextDecoder().decode(stdout)
  assert(out !== "", new TextDecoder().decode(stderr))
  const { resident, total }: Record<string, number[]> = JSON.parse(out)
  assertEquals(resident.length, 500)
  const [first, last] = [median(resident.slice(50, 70)), median(resident.slice(480))]
  assert(first > 0 && last <= 1.02 * first, `${first} bytes, then ${last}`)
  assertEquals(total[499], total[49])
  assert(total[49] > 0)
})
