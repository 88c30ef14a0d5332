/**
 * Step 2: the base model and its adapters, tried side by side, by the inference entry point.
 * @module
 */
import { type Files, load, type LoadedModel } from "@espalier/espalier/inference"
import { act, element, get, set, show } from "./dom.ts"

/** Files of the model, by name. */
export const MODEL = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]

let labels: ReadonlyArray<string> | undefined
let model: Promise<LoadedModel> | undefined
let writing: AbortController | undefined
let texts = 0

/** The model, loaded when it is first asked. */
const loaded = (): Promise<LoadedModel> => {
  if (model !== undefined) return model
  const files = Object.fromEntries(MODEL.map((name) => [name, `model/${name}`]))
  const loading = load(files, labels === undefined ? {} : { labels })
  model = loading
  loading.then(({ backend }) => set("backend", backend), () => model = undefined)
  return loading
}

const adapter = (): { readonly adapter?: string } => {
  const { value } = document.querySelector<HTMLInputElement>("[name=adapter]:checked")!
  return value === "" ? {} : { adapter: value }
}

/** Lists what can answer; one of them is chosen. */
function list(names: ReadonlyArray<string>, chosen: string): void {
  get("adapters").replaceChildren(...["", ...names].map((name) => {
    const input = element("input", "")
    Object.assign(input, { type: "radio", name: "adapter", value: name, checked: name === chosen })
    input.addEventListener("change", answer)
    return element("label", [input, element("span", name === "" ? "Base model" : name)])
  }))
}

/** Starts over, with the base model alone: it writes, or answers with labels where there are some. */
export async function startOver(given: ReadonlyArray<string> | undefined): Promise<void> {
  const old = model
  writing?.abort()
  model = undefined
  labels = given
  list([], "")
  show("write", labels === undefined)
  show("judge", labels !== undefined)
  set("written", "")
  await (await old?.catch(() => undefined))?.free()
}

/** Adds an adapter, and chooses it. */
export async function addAdapter(name: string, files: Files): Promise<void> {
  const model = await loaded()
  await model.adapter(name, files)
  list(model.adapters, name)
  answer()
}

/** Answers by what was chosen, if a text is there. */
function answer(): void {
  if (labels !== undefined) judge()
  else if (get("written").textContent !== "") act(write)
}

async function write(): Promise<void> {
  writing?.abort()
  const own = writing = new AbortController()
  const prompt = get<HTMLTextAreaElement>("prompt").value
  const written = get("written")
  const temperature = Number(get<HTMLInputElement>("temperature").value)
  written.replaceChildren(element("b", prompt))
  show("hush")
  try {
    const options = { ...adapter(), maxNewTokens: 100, temperature, seed: texts++, signal: own.signal }
    for await (const piece of (await loaded()).generate(prompt, options)) {
      if (own === writing) written.append(piece)
    }
  } catch (error) {
    if (!own.signal.aborted) throw error
  } finally {
    if (own === writing) show("hush", false)
  }
}

/** Texts are judged one after the other, and only the newest question counts; until its answer is there the page says so. */
let judging: Promise<void> = Promise.resolve()
let questions = 0
function judge(): void {
  const question = ++questions
  const text = get<HTMLTextAreaElement>("own").value.trim()
  const prediction = get("prediction")
  prediction.ariaBusy = "true"
  const work = async () => {
    if (question !== questions) return
    const model = await loaded()
    const [{ probabilities = [] }] = text === "" ? [{}] : await model.classify([text], { ...adapter(), maxLength: 128 })
    if (question !== questions) return
    const shares = model.labels.map((label, i) => [label, probabilities[i]] as const).sort((a, b) => b[1] - a[1])
    prediction.ariaBusy = "false"
    prediction.replaceChildren(...(text === "" ? [] : shares.slice(0, 5)).map(([label, share], i) => {
      const bar = element("i", "")
      bar.style.setProperty("--share", String(share))
      const parts = [element("span", label), bar, element("span", `${(100 * share).toFixed(1)} %`)]
      return element("div", parts, i === 0 ? "first" : "")
    }))
  }
  judging = judging.then(() => act(work))
}

/** Watches what is asked. */
export function watchTrying(): void {
  get("writing").addEventListener("submit", (event) => {
    event.preventDefault()
    act(write)
  })
  get("hush").addEventListener("click", () => writing?.abort())
  get("own").addEventListener("input", judge)
  get("open").addEventListener("change", ({ target }) => {
    const input = target as HTMLInputElement
    const [file] = input.files ?? []
    if (file === undefined) return
    const name = file.name.replace(/\.zip$/i, "").replaceAll(/[^\w.-]+/g, "-")
    act(() => addAdapter(name, file).finally(() => input.value = ""))
  })
  act(() => startOver(undefined))
}
