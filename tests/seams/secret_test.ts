/**
 * Gradient noise under a secret key.
 * @module
 */
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert"
import { type Contribution, ops, type Tensor } from "@espalier/espalier"
import * as Effect from "effect/Effect"
import { train } from "./language_model.ts"

/** Adds uniform noise to the gradients of each task; its state starts with what an initializer gives. */
const noise = (secret: boolean): Contribution => ({
  id: "noise/default",
  requires: { constantDivisor: true },
  gradients: {
    secret,
    task: {
      init: () => ({ scale: { shape: [], initializer: { kind: "ones" } } }),
      update: (tasks, { scale }, { step, key: open, secretKey }) => {
        const word = (key: Tensor, i: number) => ops.reshape(ops.slice(key, [i], [1]), [])
        const key = secretKey === undefined ? open : [word(secretKey, 0), ops.add(word(secretKey, 7), step)] as const
        const noisy = [...tasks].map(([task, gradients]) =>
          [
            task,
            new Map([...gradients].map(([name, gradient], salt) => [
              name,
              ops.add(gradient, ops.mul(scale, ops.sub(ops.uniform(gradient.shape, salt, key), 0.5))),
            ])),
          ] as const
        )
        return [new Map(noisy), { scale: ops.mul(scale, 0.9) }]
      },
    },
  },
})
const options = { maxSteps: 8, batchSize: 4, learningRate: 0.01, saveEvery: 3 }

const filesOf = (folder: string): ReadonlyArray<string> =>
  Array.from(Deno.readDirSync(folder)).flatMap(({ name, isDirectory }) =>
    isDirectory ? filesOf(`${folder}/${name}`) : [`${folder}/${name}`]
  )
const copy = (from: string, to: string) => {
  for (const path of filesOf(from)) {
    const target = to + path.slice(from.length)
    Deno.mkdirSync(target.slice(0, target.lastIndexOf("/")), { recursive: true })
    Deno.copyFileSync(path, target)
  }
}

Deno.test("secret noise differs from run to run, and a resumed run is the same run", async () => {
  const open = await train(noise(false), options)
  assertEquals((await train(noise(false), options)).weights, open.weights)
  const folder = await Deno.makeTempDir()
  try {
    const whole = await train(noise(true), { ...options, runFolder: `${folder}/run` }, (event) =>
      Effect.sync(() => {
        if (event.type === "checkpoint" && event.step === 3) copy(`${folder}/run`, `${folder}/copy`)
      }))
    assertNotEquals(whole.weights, open.weights)
    assertNotEquals((await train(noise(true), options)).weights, whole.weights)
    const resumed = await train(noise(true), { ...options, runFolder: `${folder}/copy`, resume: true })
    assert(resumed.events.some((event) => event.type === "start" && event.resumedFrom === 3))
    assertEquals(resumed.weights, whole.weights)

    const checkpoint = `${folder}/run/checkpoints/step-8`
    const state = JSON.parse(Deno.readTextFileSync(`${checkpoint}/trainer_state.json`))
    assertStringIncludes(state.secret, "do not publish this checkpoint")
    assertEquals(state.secretKeys["noise/default"].length, 8)
    for (const name of ["state.safetensors", "trainer_state.json"]) {
      assertEquals(Deno.statSync(`${checkpoint}/${name}`).mode! & 0o777, 0o600, name)
    }
    const others = filesOf(`${folder}/run`).filter((path) => !path.includes("/checkpoints/"))
    for (const path of others) {
      assert(!Deno.readTextFileSync(path).includes(`${state.secretKeys["noise/default"][0]}`), path)
    }
    const told = whole.events.flatMap((event) =>
      event.type === "message" && event.level === "warning" ? event.text : []
    )
    assertStringIncludes(told.join(), "hold the secret key of noise/default")

    Deno.writeTextFileSync(
      `${folder}/copy/checkpoints/step-8/trainer_state.json`,
      JSON.stringify({ ...state, secretKeys: undefined }),
    )
    const again = train(noise(true), { ...options, runFolder: `${folder}/copy`, resume: true })
    assertStringIncludes(`${await again.catch((error) => error)}`, "no secret key for noise/default")
  } finally {
    await Deno.remove(folder, { recursive: true })
  }
})
