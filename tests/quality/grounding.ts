/**
 * `deno task quality:grounding [e2e=PATH] [gsm8k=PATH] [model=PATH] [encoder=PATH] [name=number ...]`: how the answers of a language
 * model agree with their evidence before and after LoRA, on held-out rows. E2E: places are found in an index of all meanings, and the
 * answer is compared with the passage that it names, slot by slot. GSM8K: the numbers of a worked answer are compared with the
 * question. Prints a Markdown table for each. Default: the included model. Nothing was tuned.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, Task, Trainer } from "@espalier/espalier"
import * as Bert from "@espalier/espalier/bert"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Retrieval from "@espalier/espalier/retrieval"
import { makeRng } from "../../core/tensor/operations/random.ts"

const included = decodeURIComponent(new URL("../../examples/models/espalier-1m", import.meta.url).pathname)
const paths: Record<string, string> = { e2e: "", gsm8k: "", model: included, encoder: included }
const numbers: Record<string, number> = {
  places: 120,
  askedPlaces: 40,
  problems: 80,
  askedProblems: 32,
  epochs: 1,
  batchSize: 8,
  learningRate: 1e-3,
  seed: 1,
}
for (const argument of Deno.args) {
  const [, name, value] = /^(\w+)=(.*)$/.exec(argument) ?? []
  if (name in paths) paths[name] = value
  else if (name in numbers && Number(value) > 0) numbers[name] = Number(value)
  else throw new Error(`Expected ${Object.keys(paths).join("=, ")}= or NAME=NUMBER, got "${argument}"`)
}
if (paths.e2e === "" && paths.gsm8k === "") throw new Error("Say where data lies: e2e=PATH, gsm8k=PATH or both")
const { places, askedPlaces, problems, askedProblems, epochs, batchSize, learningRate, seed } = numbers

/** A question with its right answer, as the model learns it. */
interface Pair {
  readonly prompt: string
  readonly completion: string
}

/** What is asked of the model, and how its answers are judged. */
interface Study {
  readonly title: string
  readonly train: ReadonlyArray<Pair>
  /** Judgements of the model's answers, and what else is to be said of them. */
  readonly judged: (model: Model.Model) => Effect.Effect<Judged, unknown, unknown>
  /** Judgements of all texts that people wrote: what the check itself overlooks. */
  readonly people: ReadonlyArray<Retrieval.Judgement>
  /** The same texts beside the evidence of others: what the check would overlook in any text. */
  readonly mistaken: ReadonlyArray<Retrieval.Judgement>
}
interface Judged {
  readonly judgements: ReadonlyArray<Retrieval.Judgement>
  readonly notes: string
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`
const shareOf = <A>(all: ReadonlyArray<A>, is: (one: A) => boolean) => percent(all.filter(is).length / all.length)

/** Another of a list, far from its place. */
const otherOf = <A>(all: ReadonlyArray<A>, i: number): A => all[(i + Math.floor(all.length / 2)) % all.length]

/** Facts as a passage: `name: Aromi; food: Chinese`. */
const passageOf = (slots: Retrieval.Slots) =>
  Object.entries(slots).map(([name, value]) => `${name}: ${value}`).join("; ")
const meaningOf = (passage: string): Retrieval.Slots =>
  Object.fromEntries(passage.split("; ").map((part) => part.split(": ") as [string, string]))
/** Slots that a question has; several places may have the same. */
const ASKED = ["name", "near", "food", "eatType"]
const aboutPlace = ({ name, near, food, eatType = "place" }: Retrieval.Slots) =>
  `What is known about ${name}, the ${food === undefined ? "" : `${food} `}${eatType}${
    near === undefined ? "" : ` near ${near}`
  }?`
const askPlace: Retrieval.PromptOf = (question, passages) =>
  [
    "Describe the place in one or two sentences with the facts of its passage alone. Name the passage, such as [1].",
    ...passages.map(({ text }, i) => `[${i + 1}] ${text}`),
    `Question: ${question}\nAnswer:`,
  ].join("\n")

const readPlaces = Effect.gen(function* () {
  const { rows } = yield* Dataset.csv(paths.e2e, { source: "mr", target: "ref" })
  const texts = new Map<string, Array<string>>()
  for (const { source, target } of rows) texts.set(source, [...texts.get(source) ?? [], target])
  return makeRng(seed).shuffle(texts).map(([meaning, texts]) => ({ slots: Retrieval.slotsOf(meaning), texts }))
})

const placesStudy = (encoder: Retrieval.Encoder) =>
  Effect.gen(function* () {
    const all = yield* readPlaces
    const [asked, taught] = [all.slice(0, askedPlaces), all.slice(askedPlaces, askedPlaces + places)]
    const { judge } = Retrieval.slots(Retrieval.restaurants(all.map(({ slots }) => slots)))
    const documents = all.map(({ slots }, i) => ({ source: `place ${i}`, text: passageOf(slots) }))
    const index = yield* Retrieval.index(encoder, documents, { passageLength: 2000 })
    const near = yield* Retrieval.search(index, taught.map(({ slots }) => aboutPlace(slots)), { count: 3 })
    const rng = makeRng(seed, 1)
    const train = taught.map(({ slots, texts }, i) => {
      const own = passageOf(slots), other = near[i].find(({ text }) => text !== own)!.text
      const passages = rng.shuffle([own, other]).map((text) => ({ source: "", text }))
      const number = 1 + passages.findIndex(({ text }) => text === own)
      return { prompt: askPlace(aboutPlace(slots), passages), completion: ` ${rng.shuffle(texts)[0]} [${number}]` }
    })
    const judged = (model: Model.Model) =>
      Effect.gen(function* () {
        const questions = asked.map(({ slots }) => aboutPlace(slots))
        const answers = yield* Retrieval.answer(model, index, questions, {
          count: 2,
          prompt: askPlace,
          maxNewTokens: 56,
        })
        const judgements = answers.map(({ text, sources: [source], passages: [first] }) =>
          judge(text, meaningOf((source ?? first).text))
        )
        const fits = (own: Retrieval.Slots, found: Retrieval.Slots) => ASKED.every((slot) => own[slot] === found[slot])
        const first = answers.filter(({ passages: [{ text }] }, i) => fits(asked[i].slots, meaningOf(text))).length
        const notes = `${shareOf(answers, ({ sources }) => sources.length > 0)} of the answers name a passage, ${
          shareOf(answers, ({ unknown }) => unknown.length > 0)
        } one that is not there; a passage with all that was asked came first for ${first} of ${answers.length} questions`
        return { judgements, notes }
      })
    const people = all.flatMap(({ slots, texts }) => texts.map((text) => judge(text, slots)))
    const mistaken = all.flatMap(({ texts }, i) => texts.map((text) => judge(text, otherOf(all, i).slots)))
    return { title: "E2E: slots of the named passage", train, judged, people, mistaken } satisfies Study
  })

const problemsStudy = Effect.gen(function* () {
  const columns = { prompt: "question", completion: "answer" }
  const { rows } = yield* Dataset.jsonLines(paths.gsm8k, columns)
  // Marks for a calculator are left out.
  const all = makeRng(seed).shuffle(rows).map(({ prompt, completion }) => ({
    question: prompt,
    prompt: `Question: ${prompt}\nAnswer:`,
    completion: ` ${completion.replace(/<<.*?>>/g, "")}`,
    answer: Retrieval.finalNumber(completion)!,
  }))
  const asked = all.slice(0, askedProblems)
  const { judge } = Retrieval.numbers()
  const judged = (model: Model.Model) =>
    Effect.gen(function* () {
      const texts = yield* Model.generate(model, asked.map(({ prompt }) => prompt), { maxNewTokens: 112 })
      const judgements = texts.map((text, i) => judge(text, asked[i]))
      return {
        judgements,
        notes: `${shareOf(texts, (text) => text.includes("####"))} of the answers come to their end`,
      }
    })
  const train = all.slice(askedProblems, askedProblems + problems)
  const people = all.map((one) => judge(one.completion, one))
  const mistaken = all.map(({ completion }, i) => judge(completion, otherOf(all, i)))
  return { title: "GSM8K: numbers of the worked answer", train, judged, people, mistaken } satisfies Study
})

const platform = Layer.mergeAll(Llama.layer, Bert.layer).pipe(Layer.provideMerge(Espalier.layer))
const lora = Lora.layer({ r: 8, loraAlpha: 16, targetModules: "all-linear" })

/** Judges, trains, judges again. */
const studied = ({ train, judged }: Study) =>
  Effect.gen(function* () {
    const model = yield* Model.load(paths.model, { task: Task.causalLM(), seed })
    const before = yield* judged(model)
    console.error(before.notes)
    const rows = yield* Dataset.rows(train.map((one) => ({ ...one })), { prompt: "prompt", completion: "completion" })
    const options = { epochs, batchSize, learningRate, seed, schedule: "cosine", warmupRatio: 0.05 } as const
    const run = yield* Trainer.fit(model, { train: rows }, options)
    console.error(`${run.steps} steps in ${Math.round(run.seconds)} s`)
    return { before, after: yield* judged(model) }
  }).pipe(Effect.scoped, Effect.provide(lora.pipe(Layer.provideMerge(platform)), { local: true }))

const print = (
  { title, train, people, mistaken }: Study,
  { before, after }: Effect.Success<ReturnType<typeof studied>>,
) => {
  const table = Retrieval.driftSection(title, before.judgements, after.judgements).table!
  const measures = ["stated", "supported", "covered", "faithful", "exact"] as const
  const shares = [people, mistaken].map(Retrieval.agreement)
  const shown = (measure: typeof measures[number]) =>
    shares.map((one) => measure === "stated" ? one.stated.toFixed(2) : percent(one[measure]))
  const head = [...table.head, "People's texts", "Beside others' evidence"]
  console.log(`**${title}**, ${before.judgements.length} answers, trained on ${train.length} rows\n`)
  for (const cells of [head, head.map(() => "---")]) console.log(`| ${cells.join(" | ")} |`)
  for (const [i, cells] of table.rows.entries()) console.log(`| ${[...cells, ...shown(measures[i])].join(" | ")} |`)
  console.log(`\nBefore: ${before.notes}. After: ${after.notes}.\n`)
}

const report = (study: Study) => Effect.map(studied(study), (judged) => print(study, judged))

const program = Effect.gen(function* () {
  const encoder = yield* Retrieval.loadEncoder(paths.encoder)
  if (paths.e2e !== "") yield* report(yield* placesStudy(encoder))
  if (paths.gsm8k !== "") yield* report(yield* problemsStudy)
}).pipe(Effect.scoped, Effect.provide(platform))

await Effect.runPromise(program as Effect.Effect<void>)
