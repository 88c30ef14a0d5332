/**
 * SmolLM2's GGUF files beside transformers (perplexity, greedy text) and llama.cpp (token ids): part of `deno task conformance`,
 * under the name `gguf`, where {@link FLAG} asks for llama.cpp. Its texts are messages of the SMS Spam Collection; with the path
 * of WikiText-2's validation split, which may not be shipped, in {@link TEXTS}, the first 200 lines of that.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import { Tokenizer } from "../../../mod.ts"
import { execute, pythonEnvironment, scripts, workspace } from "../environment.ts"
import { type GgufAnswers, ggufAnswers } from "./gguf_answer.ts"
import { FLAG, type LlamaCpp, llamaCpp } from "./llama_cpp.ts"

/** The variable of the environment with the path of a text file. */
export const TEXTS = "ESPALIER_WIKITEXT"

const NEW_TOKENS = 50
const PROMPTS = [
  "The capital of France is",
  "Once upon a time there was a pear tree",
  "def fibonacci(n):",
  "Question: What is 12 + 30?\nAnswer:",
  "<|im_start|>user\nName three fruits.<|im_end|>\n<|im_start|>assistant\n",
]

/** What transformers_gguf.py answers. */
interface Theirs {
  readonly perplexity: number
  readonly greedy: ReadonlyArray<ReadonlyArray<number>>
}

const linesOf = (path: string) => Deno.readTextFileSync(path).split("\n")
const sms = decodeURIComponent(new URL("../../../examples/data/sms_spam.tsv", import.meta.url).pathname)
const percent = (share: number) => `${(100 * share).toPrecision(2)} %`

/** Writes what a script is asked, runs it, reads its answer. */
const asked = async <A>(question: unknown, run: (given: string, answer: string) => Promise<unknown>): Promise<A> => {
  const [given, answer] = [`${workspace}/gguf-given.json`, `${workspace}/gguf-answer.json`]
  await Deno.writeTextFile(given, JSON.stringify(question))
  await run(given, answer)
  return JSON.parse(await Deno.readTextFile(answer))
}

const plain = (lists: ReadonlyArray<Int32Array>) => lists.map((ids) => [...ids])

/** Transformers' answers to the questions that were answered here, on the same ids. */
const theirsOf = async (file: string, { ids }: GgufAnswers): Promise<Theirs> => {
  const python = await pythonEnvironment()
  const question = { texts: plain(ids.texts), prompts: plain(ids.prompts), newTokens: NEW_TOKENS, endTokens: [] }
  const script = `${scripts}quantized/transformers_gguf.py`
  return await asked(
    question,
    (given, answer) => execute(python, ["-W", "ignore", script, file, given, answer], "piped"),
  )
}

const compareFile = async (file: string, texts: ReadonlyArray<string>) => {
  const ours = await ggufAnswers(file, { texts, prompts: PROMPTS, newTokens: NEW_TOKENS })
  const theirs = await theirsOf(file, ours)
  const off = Math.abs(ours.perplexity / theirs.perplexity - 1)
  const others = ours.greedy.filter((ids, i) => `${[...ids]}` !== `${theirs.greedy[i]}`)
  return {
    told: `${ours.encodings.join(", ")}; loaded in ${ours.loading.toFixed(1)} s; perplexity ${
      ours.perplexity.toFixed(4)
    }, transformers ${theirs.perplexity.toFixed(4)}`,
    found: [
      ...off <= 2e-4 ? [] : [`the perplexity is off by ${percent(off)}`],
      ...others.length === 0 ? [] : [`${others.length} of ${PROMPTS.length} greedy texts differ`],
    ],
  }
}

/** Lines that llama.cpp cuts otherwise. */
const compareIds = async ({ model, run }: LlamaCpp, lines: ReadonlyArray<string>) => {
  const tokenizer = await Effect.runPromise(Effect.provide(Tokenizer.loadTokenizer(model), NodeFileSystem.layer))
  const theirs = await asked<ReadonlyArray<ReadonlyArray<number>>>(
    lines,
    (given, answer) => run("tokenize", model, given, answer),
  )
  // llama.cpp was told to read markers as text.
  const wrong = lines.filter((line, i) => `${[...tokenizer.encode(line)]}` !== `${theirs[i]}`)
  return {
    told: `${lines.length} lines`,
    found: wrong.length === 0 ? [] : [`${wrong.length} lines, the first is ${JSON.stringify(wrong[0])}`],
  }
}

/** Compares all files and prints a line for each; numbers of passed and failed ones. */
export async function runGguf(): Promise<{ readonly passed: number; readonly failed: number }> {
  const judge = await llamaCpp()
  if (judge === undefined) {
    console.log(`gguf: left out; ${FLAG}=1 builds llama.cpp for it, which takes minutes once`)
    return { passed: 0, failed: 0 }
  }
  const path = Deno.env.get(TEXTS)
  const lines = linesOf(path ?? sms)
  // A text of one token predicts nothing.
  const texts = path === undefined ? lines.slice(1, 41) : lines.slice(0, 200).filter((line) => line.trim() !== "")
  const files: ReadonlyArray<readonly [string, () => Promise<string>]> = [
    ["Q4_1", () => Promise.resolve(judge.model)],
    ...(["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M"] as const).map((type) => [type, () => judge.quantized(type)] as const),
  ]
  const works: ReadonlyArray<readonly [string, () => ReturnType<typeof compareFile>]> = [
    ["token ids as llama.cpp's", () => compareIds(judge, lines)],
    ...files.map(([type, file]) => [`SmolLM2 in ${type}`, async () => compareFile(await file(), texts)] as const),
  ]
  let failed = 0
  for (const [name, work] of works) {
    const { told, found } = await work()
    console.log(`${found.length === 0 ? "ok    " : "FAILED"} ${name}: ${told}`)
    for (const line of found) console.log(`         ${line}`)
    if (found.length > 0) failed++
  }
  return { passed: works.length - failed, failed }
}

if (import.meta.main) {
  const { passed, failed } = await runGguf()
  console.log(`${passed} passed, ${failed} failed`)
  Deno.exit(failed === 0 ? 0 : 1)
}
