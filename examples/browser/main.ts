/**
 * The page: takes a file, trains, shows how it goes, and lets the base model and adapters answer.
 * @module
 */
import { curve, type Point } from "./curve.ts"
import { type Chosen, chosen, download, watchData } from "./data.ts"
import { act, element, get, set, show } from "./dom.ts"
import { train, type Trained } from "./training.ts"
import { addAdapter, MODEL, startOver, watchTrying } from "./trying.ts"

let stop: AbortController | undefined
let downloads: ReadonlyArray<string> = []

const time = (seconds: number) => {
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`
}

/** Draws what the training tells. */
function watcher(): Parameters<typeof train>[0]["onEvent"] {
  const steps: Point[] = []
  const validation: Point[] = []
  let total = 1
  let asked = false
  const draw = () => {
    asked = false
    if (steps.length > 0) get("curve").innerHTML = curve(steps, validation, get("curve").clientWidth)
  }
  return (event) => {
    if (event.type === "start") total = event.totalSteps
    if (event.type === "evaluation") validation.push([event.step, event.metrics.loss])
    if (event.type === "step") {
      steps.push([event.step, event.loss])
      get<HTMLProgressElement>("progress").value = event.step / total
      set("step", `${event.step} of ${total}`)
      set("loss", event.loss.toFixed(3))
      set("pace", Math.round(event.tokensPerSecond).toLocaleString("en"))
      set("left", time(event.secondsLeft))
    }
    // Steps may be faster than the screen.
    if (!asked) requestAnimationFrame(draw)
    asked = true
  }
}

async function learn({ name, bytes, ...columns }: Chosen): Promise<void> {
  const settings = new FormData(get<HTMLFormElement>("settings"))
  const [epochs, rank, learningRate] = ["epochs", "rank", "learningRate"].map((field) => Number(settings.get(field)))
  stop = new AbortController()
  const running = (is: boolean) => {
    show("start", !is)
    show("stop", is)
  }
  running(true)
  show("result", false)
  show("run")
  get<HTMLProgressElement>("progress").value = 0
  get("curve").replaceChildren()
  for (const id of ["step", "loss", "pace", "left"]) set(id, "–")
  try {
    set("status", "Fetching the model")
    const files = new Map<string, Uint8Array>([[name, bytes]])
    for (const file of MODEL) files.set(`model/${file}`, await download(`model/${file}`))
    const trained = await train({
      ...columns,
      files,
      model: "model",
      data: name,
      epochs,
      rank,
      learningRate,
      signal: stop.signal,
      onStatus: (sentence) => set("status", sentence),
      onEvent: watcher(),
    })
    set("status", "Loading what was learned")
    await startOver(columns.label === undefined ? undefined : trained.labels)
    await addAdapter("trained", trained.files)
    present(trained)
    set("status", "Done")
  } catch (error) {
    if (!stop.signal.aborted) throw error
    set("status", "Stopped; nothing was kept")
  } finally {
    stop = undefined
    running(false)
  }
}

const metricNames: Readonly<Record<string, string>> = {
  accuracy: "Accuracy",
  macroF1: "Macro-F1",
  perplexity: "Perplexity",
  loss: "Loss",
}
const fallsBetter = new Set(["loss", "perplexity"])

/** Shows figures of rows that were not trained on, and hands out the files. */
function present({ before, after, adapter, report }: Trained): void {
  const line = (tag: "td" | "th", [first, ...others]: ReadonlyArray<string>, better = false) =>
    element("tr", [
      element("th", first),
      ...others.map((value, i) => element(tag, value, `number${better && i > 0 ? " better" : ""}`)),
    ])
  const lines = Object.entries(metricNames).filter(([name]) => name in after).map(([name, title]) => {
    const isBetter = fallsBetter.has(name) ? after[name] < before[name] : after[name] > before[name]
    return line("td", [title, before[name].toFixed(3), after[name].toFixed(3)], isBetter)
  })
  get("metrics").replaceChildren(
    element("thead", [line("th", ["On rows kept aside", "Before", "After"])]),
    element("tbody", lines),
  )
  downloads.forEach(URL.revokeObjectURL)
  const kept = [[adapter, "application/zip"], [report, "text/html"]] as const
  downloads = kept.map(([bytes, type]) => URL.createObjectURL(new Blob([bytes], { type })))
  get<HTMLAnchorElement>("adapter").href = downloads[0]
  get<HTMLAnchorElement>("report").href = downloads[1]
  show("result")
}

watchData(() => stop !== undefined)
watchTrying()
get("settings").addEventListener("submit", (event) => {
  event.preventDefault()
  if (stop !== undefined) return
  act(async () => {
    const data = chosen()
    if (data !== undefined) await learn(data)
  })
})
get("stop").addEventListener("click", () => stop?.abort())
