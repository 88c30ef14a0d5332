import { assert, assertEquals } from "@std/assert"

const script = new URL("./killed_run.ts", import.meta.url).pathname

/** Runs the script; kills it without warning after a step. Gives the steps that it told of and the weights' digest. */
async function child(
  folder: string,
  resume: boolean,
  killAfter = Infinity,
): Promise<{ steps: number[]; weights: string }> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-read", "--allow-write", script, folder, String(resume)],
    stdout: "piped",
    stderr: "null",
  }).spawn()
  const steps: number[] = []
  let weights = ""
  let rest = ""
  for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n")
    rest = lines.pop()!
    for (const line of lines) {
      const [kind, value] = line.split(" ")
      if (kind === "weights") weights = value
      if (kind !== "step") continue
      steps.push(Number(value))
      if (steps.at(-1) === killAfter) process.kill("SIGKILL")
    }
  }
  await process.status
  return { steps, weights }
}

Deno.test("a run that is killed twice and resumed ends with the same weights bit for bit", async () => {
  const directory = await Deno.makeTempDir()
  try {
    const whole = await child("", false)
    assertEquals(whole.steps.length, 72)
    const first = await child(`${directory}/run`, false, 15)
    assertEquals(first.weights, "")
    const second = await child(`${directory}/run`, true, 38)
    assert(second.steps[0] > 1 && second.steps[0] < 38, `went on with step ${second.steps[0]}`)
    const last = await child(`${directory}/run`, true)
    assert(last.steps[0] > second.steps[0])
    assert(whole.weights !== "")
    assertEquals(last.weights, whole.weights)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
