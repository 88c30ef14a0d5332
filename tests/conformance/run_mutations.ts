/**
 * A thousand changed tokenizer and config files, read here and by each version of transformers: part of `deno task conformance`, under the
 * name `mutations`.
 * @module
 */
import { environments, execute, pythonEnvironment, scripts, workspace } from "./environment.ts"
import { type Answer, answerOf, type Job } from "./espalier_mutations.ts"
import { failures, judgeMutation, type Verdict, verdicts } from "./judge_mutations.ts"
import { type Files, mutate, type Mutation, mutations } from "./mutations.ts"
import { digest } from "./reference.ts"

const COUNT = 1000
const fixtures = decodeURIComponent(new URL("../fixtures/directories", import.meta.url).pathname)
/** As the fixture has them, and one with special tokens written out. */
const textsOf = (expected: { readonly texts?: ReadonlyArray<{ readonly text: string }> }): ReadonlyArray<string> => [
  ...expected.texts!.map(({ text }) => text),
  "a <s>tree</s> or [MASK] wire[SEP] and<|im_end|> x",
]

/** All JSON files of a directory. */
const filesOf = (directory: string): Files =>
  Object.fromEntries(
    [...Deno.readDirSync(directory)].map(({ name }) => name)
      .filter((name) => name.endsWith(".json") && name !== "expected.json" && name !== "vocab.json").sort()
      .map((name) => [name, JSON.parse(Deno.readTextFileSync(`${directory}/${name}`))]),
  )

/** Writes a directory with a change, its other files linked. */
const write = (mutation: Mutation, files: Files, directory: string): void => {
  Deno.mkdirSync(directory, { recursive: true })
  for (const { name } of Deno.readDirSync(`${fixtures}/${mutation.base}`)) {
    if (name !== mutation.file && name !== "expected.json") {
      Deno.symlinkSync(`${fixtures}/${mutation.base}/${name}`, `${directory}/${name}`)
    }
  }
  Deno.writeTextFileSync(
    `${directory}/${mutation.file}`,
    JSON.stringify(mutate(files, mutation)[mutation.file], null, 2),
  )
}

const jobOf = ({ base, file }: Mutation, files: Files, directory: string): Job => {
  const config = files["config.json"] as { readonly architectures: ReadonlyArray<string> }
  const { tokens } = JSON.parse(Deno.readTextFileSync(`${fixtures}/${base}/expected.json`))
  return {
    directory,
    tokenizer: files["tokenizer.json"] !== undefined && file !== "generation_config.json",
    head: file === "config.json" || file === "generation_config.json"
      ? config.architectures[0].replace(/^.*?(?=For[A-Z]|Model$)/, "")
      : null,
    tokens: tokens.slice(0, 24),
    config,
  }
}

/** Answers of a version of transformers, in the order of the jobs. */
const theirs = async (python: string, jobs: string, output: string): Promise<ReadonlyArray<Answer>> => {
  if (!await Deno.stat(output).then(() => true, () => false)) {
    // Broken tokenizer files make the tokenizers library panic, which Python sees as an error; its traces would fill the screen.
    const quiet = { RUST_BACKTRACE: "0" }
    await execute(python, ["-W", "ignore", `${scripts}reference_mutations.py`, jobs, `${output}.part`], "piped", quiet)
    await Deno.rename(`${output}.part`, output)
  }
  return Deno.readTextFileSync(output).trim().split("\n").map((line) => JSON.parse(line))
}

/** What was changed, in a line. */
const describe = ({ base, file, kind, path, to, value }: Mutation): string =>
  `${base}/${file}: ${kind} ${path.join(".")}${to === undefined ? "" : ` -> ${to}`}` +
  (value === undefined ? "" : ` = ${JSON.stringify(value).slice(0, 90)}`)

/** Reads all of them and prints a table; numbers of passed and failed ones. Another seed draws other changes. */
export const runMutations = async (
  verbose: boolean,
  seed?: number,
): Promise<{ readonly passed: number; readonly failed: number }> => {
  const bases = ["4", "5"].flatMap((version) =>
    [...Deno.readDirSync(`${fixtures}/${version}`)].map(({ name }) => `${version}/${name}`).sort()
  )
  const directories = new Map(bases.map((base) => [base, filesOf(`${fixtures}/${base}`)]))
  const list = mutations(directories, COUNT, seed)
  const texts = textsOf(JSON.parse(Deno.readTextFileSync(`${fixtures}/${bases[0]}/expected.json`)))
  const pins = environments.flatMap(({ requirements }) => [requirements]).map((name) => scripts + name)
  const words = [JSON.stringify([...directories]), JSON.stringify(list), JSON.stringify(texts)]
  const place = `${workspace}/mutations-${await digest([`${scripts}reference_mutations.py`, ...pins], words)}`
  await Deno.remove(`${place}/files`, { recursive: true }).catch(() => {})
  const jobs = list.map((mutation, i) => {
    const files = directories.get(mutation.base)!
    const directory = `${place}/files/${String(i).padStart(4, "0")}`
    write(mutation, files, directory)
    return jobOf(mutation, files, directory)
  })
  await Deno.writeTextFile(`${place}/jobs.json`, JSON.stringify({ texts, jobs }))
  const pythons = await Promise.all(environments.map((one) => pythonEnvironment(one)))
  const references = Promise.all(
    pythons.map((python, i) => theirs(python, `${place}/jobs.json`, `${place}/${i}.jsonl`)),
  )
  const ours: Array<Answer> = []
  for (const job of jobs) ours.push(await answerOf(job, texts))
  const answers = await references

  const table = new Map<string, Map<Verdict, number>>()
  let failed = 0
  for (const [i, mutation] of list.entries()) {
    const parts = judgeMutation(mutation, ours[i], answers.map((all) => all[i]))
    for (const { part, verdict, why } of parts) {
      const row = `${mutation.file}, ${part}`
      if (!table.has(row)) table.set(row, new Map())
      table.get(row)!.set(verdict, (table.get(row)!.get(verdict) ?? 0) + 1)
      if (failures.includes(verdict) || (verbose && verdict !== "equal")) {
        console.log(
          `${verdict} ${part}: ${i} ${describe(mutation)}\n         ${why.replaceAll("\n", " ").slice(0, 300)}`,
        )
      }
    }
    if (parts.some(({ verdict }) => failures.includes(verdict))) failed++
  }
  printTable(table)
  return { passed: list.length - failed, failed }
}

const printTable = (table: ReadonlyMap<string, ReadonlyMap<Verdict, number>>): void => {
  const used = verdicts.filter((verdict) => [...table.values()].some((row) => row.has(verdict)))
  const width = Math.max(...[...table.keys()].map((name) => name.length))
  console.log(`${"".padEnd(width)}  ${used.join(" | ")}`)
  for (const [name, row] of [...table].sort(([a], [b]) => a < b ? -1 : 1)) {
    const cells = used.map((verdict) => String(row.get(verdict) ?? 0).padStart(verdict.length))
    console.log(`${name.padEnd(width)}  ${cells.join(" | ")}`)
  }
}

if (import.meta.main) {
  const seed = Deno.args.find((argument) => argument.startsWith("--seed="))?.slice("--seed=".length)
  const { passed, failed } = await runMutations(
    Deno.args.includes("--verbose"),
    seed === undefined ? undefined : Number(seed),
  )
  console.log(`${passed} passed, ${failed} failed`)
  Deno.exit(failed === 0 ? 0 : 1)
}
