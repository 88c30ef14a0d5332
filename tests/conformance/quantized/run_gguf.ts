/**
 * SmolLM2 as a GGUF file in several quantizations: token ids beside llama.cpp, perplexity and greedy texts beside transformers,
 * which computes with the dequantized weights. Part of `deno task conformance`, under the name `gguf`, where llama.cpp was
 * asked for (see llama_cpp.ts).
 * @module
 */
import { execute, scripts, workspace } from "../environment.ts"
import { type GgufAnswers, ggufAnswers } from "./gguf_answer.ts"
import { FLAG, llamaCpp } from "./llama_cpp.ts"

const messages = new URL("../../../examples/data/sms_spam.tsv", import.meta.url)
const questions = {
  texts: Deno.readTextFileSync(messages).split("\n").slice(1, 41).map((line) => line.slice(line.indexOf("\t") + 1)),
  prompts: [
    "The capital of France is",
    "Once upon a time there was a pear tree",
    "def fibonacci(n):",
    "Question: What is 12 + 30?\nAnswer:",
    "<|im_start|>user\nName three fruits.<|im_end|>\n<|im_start|>assistant\n",
  ],
  newTokens: 50,
}

/** Difference of perplexities that counts as none. */
const TOLERANCE = 2e-4

/** What transformers answers. */
interface Expected {
  readonly perplexity: number
  readonly greedy: ReadonlyArray<ReadonlyArray<number>>
}

/** Lists of token ids as plain ones. */
const plain = (lists: ReadonlyArray<ArrayLike<number>>) => lists.map((ids) => Array.from(ids))

/** What transformers answers to the same ids. */
export async function expected(python: string, file: string, { ids }: GgufAnswers): Promise<Expected> {
  const [given, answer] = [`${workspace}/gguf_given.json`, `${workspace}/gguf_answer.json`]
  const { newTokens } = questions
  const asked = { texts: plain(ids.texts), prompts: plain(ids.prompts), newTokens, endTokens: [], threads: 2 }
  await Deno.writeTextFile(given, JSON.stringify(asked))
  await execute(python, ["-W", "ignore", `${scripts}quantized/transformers_gguf.py`, file, given, answer], "piped")
  return JSON.parse(await Deno.readTextFile(answer))
}

/** Where answers are not as they should be. */
export function differences({ perplexity, greedy }: GgufAnswers, want: Expected): Array<string> {
  const off = perplexity / want.perplexity - 1
  return [
    ...Math.abs(off) <= TOLERANCE ? [] : [`perplexity ${perplexity}, theirs ${want.perplexity}: off by ${off}`],
    ...want.greedy.flatMap((ids, i) => {
      const ours = Array.from(greedy[i])
      return `${ours}` === `${ids}` ? [] : [`prompt ${i} goes on with ${ours}, theirs with ${ids}`]
    }),
  ]
}

/** Compares all files and prints a line for each; numbers of passed and failed ones. */
export async function runGguf(): Promise<{ readonly passed: number; readonly failed: number }> {
  const tools = await llamaCpp()
  if (tools === undefined) {
    console.log(`gguf: NOT RUN: set ${FLAG} to build llama.cpp and fetch the model`)
    return { passed: 0, failed: 0 }
  }
  const { python, model, judge, quantized } = tools
  const results: Array<readonly [string, ReadonlyArray<string>]> = []
  let before: Expected | undefined
  for (const type of ["Q4_1", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M"] as const) {
    const file = type === "Q4_1" ? model : await quantized(type)
    const answers = await ggufAnswers(file, questions)
    const want = await expected(python, file, answers)
    results.push([`SmolLM2 in ${type}, kept in ${answers.encodings.join(", ")}`, differences(answers, want)])
    if (before === undefined) results.push(["ids as llama.cpp's", await idsDiffer(model, answers, judge)])
    else if (differences(answers, before).length === 0) results.push([`a control: ${type} as another type`, ["agrees"]])
    before = want
  }
  for (const [name, found] of results) {
    console.log(`${found.length === 0 ? "ok    " : "FAILED"} ${name}`)
    for (const line of found) console.log(`         ${line.slice(0, 300)}`)
  }
  const failed = results.filter(([, found]) => found.length > 0).length
  return { passed: results.length - failed, failed }
}

/** Texts that llama.cpp cuts into other tokens. */
async function idsDiffer(
  model: string,
  { ids }: GgufAnswers,
  judge: (...words: ReadonlyArray<string>) => Promise<void>,
): Promise<Array<string>> {
  const [given, answer] = [`${workspace}/gguf_texts.json`, `${workspace}/gguf_ids.json`]
  await Deno.writeTextFile(given, JSON.stringify(questions.texts))
  await judge("tokenize", model, given, answer)
  const theirs: ReadonlyArray<ReadonlyArray<number>> = JSON.parse(await Deno.readTextFile(answer))
  return plain(ids.texts).flatMap((ours, i) => `${ours}` === `${theirs[i]}` ? [] : [`text ${i}: ${ours}; ${theirs[i]}`])
}

if (import.meta.main) {
  const { passed, failed } = await runGguf()
  console.log(`${passed} passed, ${failed} failed`)
  Deno.exit(failed === 0 ? 0 : 1)
}
