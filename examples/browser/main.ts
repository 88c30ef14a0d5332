/**
 * The page: takes a file, trains, shows how it goes, and hands out the adapter.
 * @module
 */
import { curve, type Point } from "./curve.ts"
import { readTable, train, type Trained } from "./training.ts"

const get = <E extends HTMLElement = HTMLElement>(id: string) => document.getElementById(id) as E
const show = (id: string, visible = true) => void (get(id).hidden = !visible)
const set = (id: string, text: string) => void (get(id).textContent = text)

const MODEL = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]

/** A table that was dropped: its file, and its first lines. */
interface Table {
  readonly name: string
  readonly bytes: Uint8Array
  readonly header: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
}

let table: Table | undefined
let stop: AbortController | undefined
let trained: Trained | undefined
let downloads: ReadonlyArray<string> = []

const fail = (error: unknown) => {
  set("error", error instanceof Error ? error.message : String(error))
  show("error")
  get("error").scrollIntoView({ block: "nearest" })
}

/** Puts away what the last training left. */
const clear = async () => {
  show("result", false)
  show("error", false)
  downloads.forEach(URL.revokeObjectURL)
  downloads = []
  const old = trained
  trained = undefined
  await old?.close()
}

const download = async (path: string): Promise<Uint8Array> => {
  const response = await fetch(path)
  if (!response.ok) throw new Error(`${path} cannot be fetched: ${response.status}`)
  return response.bytes()
}

// Step 1: the data.

const cell = (tag: "td" | "th", text: string, className = "") => {
  const element = document.createElement(tag)
  element.textContent = text
  element.className = className
  return element
}
const row = (...cells: ReadonlyArray<HTMLElement>) => {
  const element = document.createElement("tr")
  element.append(...cells)
  return element
}
const section = (tag: "thead" | "tbody", ...rows: ReadonlyArray<HTMLElement>) => {
  const element = document.createElement(tag)
  element.append(...rows)
  return element
}

const readHead = async (file: File): Promise<Table> => {
  const bytes = new Uint8Array(await file.arrayBuffer())
  const read = await readTable(file.name, bytes)
  const header = read.columns.filter((name, _, all) => name !== "" && all.indexOf(name) === all.lastIndexOf(name))
  const rows = read.rows.slice(0, 200).map((row) => header.map((name) => String(row[name] ?? "")))
  if (header.length < 2) {
    throw new Error(`${file.name} needs a first line with at least two column names, one of texts and one of labels`)
  }
  return { name: file.name, bytes, header, rows }
}

const choose = (id: string, header: ReadonlyArray<string>, chosen: number) =>
  get(id).replaceChildren(...header.map((name, i) => new Option(name, name, i === chosen, i === chosen)))

const preview = () => {
  if (table === undefined) return
  const used = ["text", "label"].map((id) => get<HTMLSelectElement>(id).value)
  const style = (i: number) => used.includes(table!.header[i]) ? "used" : ""
  get("rows").replaceChildren(
    section("thead", row(...table.header.map((name, i) => cell("th", name, style(i))))),
    section("tbody", ...table.rows.slice(0, 4).map((line) => row(...line.map((text) => cell("td", text))))),
  )
}

const take = async (file: File) => {
  await clear()
  table = await readHead(file)
  const { header, rows } = table
  const column = (i: number) => rows.map((line) => line[i] ?? "")
  const mean = (i: number) => column(i).reduce((sum, text) => sum + text.length, 0)
  const places = header.map((_, i) => i)
  // Texts are the longest column, labels the one with the fewest different values.
  const text = places.reduce((a, b) => mean(b) > mean(a) ? b : a)
  const others = places.filter((i) => i !== text)
  const variety = (i: number) => new Set(column(i)).size
  const label = others.reduce((a, b) => variety(b) > 1 && (variety(b) < variety(a) || variety(a) < 2) ? b : a)
  choose("text", header, text)
  choose("label", header, label)
  set("file-facts", `${file.name}, ${Math.max(1, Math.round(file.size / 1024)).toLocaleString("en")} KiB`)
  preview()
  get("drop").classList.add("small")
  set("status", "")
  show("run", false)
  show("preview")
  show("train")
}

/** Runs what a person asked for; an error is shown in the page. */
const act = (work: () => Promise<void>) => {
  show("error", false)
  work().catch(fail)
}

const drop = get("drop")
get("file").addEventListener("change", ({ target }) => {
  const [file] = (target as HTMLInputElement).files ?? []
  if (file !== undefined && stop === undefined) act(() => take(file))
})
for (const type of ["dragover", "dragleave", "drop"] as const) {
  document.addEventListener(type, (event) => {
    event.preventDefault()
    drop.classList.toggle("over", type === "dragover")
    const [file] = type === "drop" ? event.dataTransfer?.files ?? [] : []
    if (file !== undefined && stop === undefined) act(() => take(file))
  })
}
get("sample").addEventListener("click", () =>
  act(async () => {
    if (stop === undefined) await take(new File([await download("sms_spam.tsv") as BlobPart], "sms_spam.tsv"))
  }))
for (const id of ["text", "label"]) get(id).addEventListener("change", preview)

// Step 2: the training.

const time = (seconds: number) => {
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`
}

const learn = async () => {
  if (table === undefined) return
  await clear()
  const { name, bytes } = table
  const [text, label] = ["text", "label"].map((id) => get<HTMLSelectElement>(id).value)
  if (text === label) throw new Error("Text and label are the same column: choose two different ones")
  const settings = new FormData(get<HTMLFormElement>("settings"))
  const [epochs, rank, learningRate] = ["epochs", "rank", "learningRate"].map((field) => Number(settings.get(field)))

  stop = new AbortController()
  show("start", false)
  show("stop")
  show("run")
  get<HTMLProgressElement>("progress").value = 0
  get("curve").replaceChildren()
  for (const id of ["step", "loss", "pace", "left"]) set(id, "–")
  const steps: Point[] = []
  const validation: Point[] = []
  let total = 1
  let asked = false
  const draw = () => {
    asked = false
    if (steps.length > 0) get("curve").innerHTML = curve(steps, validation, get("curve").clientWidth)
  }
  try {
    set("status", "Fetching the model")
    const files = new Map<string, Uint8Array>([[name, bytes]])
    for (const file of MODEL) files.set(`model/${file}`, await download(`model/${file}`))
    trained = await train({
      files,
      model: "model",
      data: name,
      text,
      label,
      epochs,
      rank,
      learningRate,
      signal: stop.signal,
      onStatus: (sentence) => set("status", sentence),
      onEvent: (event) => {
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
      },
    })
    set("status", "Done")
    set("backend", trained.backend)
    present(trained)
  } catch (error) {
    if (!stop.signal.aborted) throw error
    set("status", "Stopped; nothing was kept")
  } finally {
    stop = undefined
    show("start")
    show("stop", false)
  }
}

get("settings").addEventListener("submit", (event) => {
  event.preventDefault()
  if (stop === undefined) act(learn)
})
get("stop").addEventListener("click", () => stop?.abort())

// Step 3: the result.

const metricNames: Readonly<Record<string, string>> = {
  accuracy: "Accuracy",
  macroF1: "Macro-F1",
  loss: "Loss",
}

const present = ({ before, after, adapter, report }: Trained) => {
  const number = (value: number) => value.toFixed(3)
  const better = (name: string) => name === "loss" ? after[name] < before[name] : after[name] > before[name]
  const lines = Object.entries(metricNames).filter(([name]) => name in after).map(([name, title]) =>
    row(
      cell("th", title),
      cell("td", number(before[name]), "number"),
      cell("td", number(after[name]), better(name) ? "number better" : "number"),
    )
  )
  get("metrics").replaceChildren(
    section("thead", row(cell("th", ""), cell("th", "Before", "number"), cell("th", "After", "number"))),
    section("tbody", ...lines),
  )
  downloads = [[adapter, "application/zip"], [report, "text/html"]].map(([bytes, type]) =>
    URL.createObjectURL(new Blob([bytes as BlobPart], { type: type as string }))
  )
  get<HTMLAnchorElement>("adapter").href = downloads[0]
  get<HTMLAnchorElement>("report").href = downloads[1]
  show("result")
  predict()
}

/** Texts are judged one after the other, and only the newest counts. */
let judging: Promise<unknown> = Promise.resolve()
const predict = () => {
  const text = get<HTMLTextAreaElement>("own").value.trim()
  judging = judging.then(async () => {
    if (text !== get<HTMLTextAreaElement>("own").value.trim()) return
    const labels = text === "" || trained === undefined ? [] : await trained.predict(text)
    get("prediction").replaceChildren(
      ...labels.slice(0, 5).map(({ label, probability }, i) => {
        const line = document.createElement("div")
        const bar = document.createElement("i")
        bar.style.setProperty("--share", String(probability))
        line.className = i === 0 ? "first" : ""
        const name = document.createElement("span")
        name.textContent = label
        const share = document.createElement("span")
        share.textContent = `${(100 * probability).toFixed(1)} %`
        line.append(name, bar, share)
        return line
      }),
    )
  }).catch(fail)
}
get("own").addEventListener("input", predict)
