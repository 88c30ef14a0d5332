import { assert, assertEquals } from "@std/assert"

const path = (name: string) => new URL(`../../${name}`, import.meta.url).pathname

Deno.test("a model is trained to decide, then asked through effect's DecisionModel", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--config", path("deno.json"), "--allow-read", "--allow-env=ESPALIER_BACKEND"],
      ...[path("examples/ask.ts"), "--steps", "25"],
    ],
    env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm" },
  }).output()
  const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes))
  assertEquals(code, 0, errors)
  const shares = [...out.matchAll(/^([01]\.\d{3}) spam: /gm)].map(([, share]) => Number(share))
  assertEquals(shares.length, 2, out)
  assert(shares[0] > 0.5 && shares[1] < 0.3, out)
})
