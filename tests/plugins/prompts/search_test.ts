import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import { load } from "../../../core/model/mod.ts"
import { DataError } from "../../../core/data/data_error.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import * as Prompts from "../../../plugins/prompts/mod.ts"
import { onWasm } from "../../support/on_wasm.ts"

const parts = [["Look.", "Think.", "Guess."], ["", "Be brief.", "Be kind."], ["", "Now.", "Later.", "Never."]]
/** A row is right under an instruction with enough of the good fragments. */
const good = ["Think.", "Be kind.", "Now."]
const score = (instruction: string, rows: ReadonlyArray<number>) => {
  const found = good.filter((fragment) => instruction.includes(fragment)).length
  return Effect.succeed(rows.map((row) => row % 4 <= found ? 1 : 0))
}
const search = (more: Partial<Prompts.InstructionSearch> = {}) =>
  Prompts.searchInstruction({ propose: Prompts.fragments(parts), score, rows: 40, budget: 2000, ...more })

Deno.test("a search finds the best instruction of fragments, within its budget, the same each time", async () => {
  const found = await Effect.runPromise(search())
  assertEquals(found.best, { instruction: "Think. Be kind. Now.", score: 1, rows: 40 })
  assert(found.calls <= 2000)
  assertEquals(found.calls, found.tried.reduce((sum, { rows }) => sum + rows, 0))
  assertEquals(new Set(found.tried.map(({ instruction }) => instruction)).size, found.tried.length)
  assert(found.tried.some(({ rows }) => rows === 16), "none was dropped early")
  assertEquals(await Effect.runPromise(search()), found)
  const small = await Effect.runPromise(search({ budget: 90 }))
  assert(small.calls <= 90 && small.tried.length >= 2, `${small.calls} calls`)
  assertEquals((await Effect.runPromise(search({ start: ["Think. Be kind. Now."], budget: 40 }))).best.score, 1)
})

Deno.test("a search ends when nothing new is proposed, and has an error where nothing was", async () => {
  const one = await Effect.runPromise(search({ propose: Prompts.fragments([["Look."]]) }))
  assertEquals(one.tried.length, 1)
  const none = { name: "silent", propose: () => Effect.succeed([]) }
  const failure = (more: Partial<Prompts.InstructionSearch>) =>
    Effect.runPromise(Effect.map(Effect.flip(search(more)), ({ reason, message }) => `${reason}: ${message}`))
  assertEquals(await failure({ propose: none }), "Empty: silent proposed no instruction")
  assertEquals(
    await failure({ budget: 39 }),
    "BadInput: budget is 39 calls, and one instruction on 40 development rows takes 40",
  )
  assertStringIncludes(
    await failure({ rows: 0 }),
    "BadInput: rows must be a whole number from 1: there are no development rows",
  )
  assertStringIncludes(await failure({ keep: 0 }), "keep must be a whole number from 1")
  assertThrows(() => Prompts.fragments([["a"], []]), DataError, "lists of at least one fragment")
})

Deno.test("a model proposes lines after the scored instructions, worst first, anew in each round", () =>
  onWasm(Effect.gen(function* () {
    const directory = new URL("../../../examples/models/espalier-1m", import.meta.url).pathname
    const model = yield* load(directory, { task: Task.causalLM(), frozen: true })
    const seen: Array<string> = []
    const proposer = Prompts.byModel(model, {
      examples: [{ input: "sun", output: "good" }],
      count: 2,
      maxNewTokens: 8,
      prompt: (scored, examples) => {
        const prompt = Prompts.proposalPrompt(scored, examples)
        seen.push(prompt)
        return prompt
      },
    })
    const kept = [{ instruction: "Best.", score: 0.75, rows: 4 }, { instruction: "Worst.", score: 0.5, rows: 4 }]
    const seeing = { kept, tried: new Set<string>(), rng: makeRng(1) }
    const first = yield* proposer.propose(seeing)
    const second = yield* proposer.propose(seeing)
    assertStringIncludes(
      seen[0],
      "Input: sun\nAnswer: good\n\nScore: 50\nInstruction: Worst.\n\nScore: 75\nInstruction: Best.\n\nScore: 100",
    )
    assert([...first, ...second].every((line) => line.length > 2 && !line.includes("\n")))
    assert(first.join() !== second.join(), "the rounds draw the same")
  })))
