import * as Effect from "effect/Effect"
import type { BackendService, Slot } from "../../backend/backend.ts"
import { AdapterError } from "../../contracts/bank/adapter_error.ts"
import type { AdapterFiles, BankContext, BankMethod, BankValues } from "../../contracts/bank/bank_method.ts"
import { StorageError } from "../../formats/files/storage_error.ts"
import type { AdapterBank, BankAdapter, LoadAdapterOptions } from "../../model/sites/adapter_bank.ts"
import type { SiteTable } from "../../model/sites/sites.ts"
import * as ops from "../../tensor/ops.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type { BankLayout } from "./layout.ts"
import { slotTable } from "./slots.ts"

/** An adapter's numbers in each page. */
interface Stored extends BankAdapter {
  readonly pages: ReadonlyArray<Float32Array>
}

/** What a bank stands on. */
export interface BankParts {
  readonly backend: BackendService
  readonly method: BankMethod
  readonly layout: BankLayout
  readonly sites: SiteTable["byModule"]
  /** [1 + slots, width] each; the first slot holds {@link BankParts.base}. */
  readonly pages: ReadonlyArray<Slot>
  /** Numbers of rows without an adapter in each page. */
  readonly base: ReadonlyArray<Float32Array>
  readonly context: BankContext
  /** Labels of the model's head. */
  readonly labels: ReadonlyArray<string>
}

const NAMES_SHOWN = 10

/** An empty bank. */
export function makeBank(parts: BankParts): AdapterBank {
  const { backend, method, layout, sites, pages, context } = parts
  const { slots, everyRow = false } = method
  const none: Stored = { name: "", pages: parts.base }
  const all = new Map<string, Stored>()
  const loading = new Set<string>()
  const table = slotTable<Stored>(Array.from({ length: slots }, (_, i) => slots - i))
  const writes = new WeakMap<Stored, Promise<unknown>>()
  const parameters = [...layout.places.values()].map(({ parameter }) => parameter)
  const tensors = pages.map((page) => ops.slot(page))
  let waiting: Array<() => void> = []

  const write = (adapter: Stored, slot: number): void => {
    const written = Promise.all(
      pages.map((page, i) => backend.write(page, adapter.pages[i], slot * layout.widths[i])),
    )
    written.catch(() => table.drop(adapter))
    writes.set(adapter, written)
  }
  const unknown = (name: string) => {
    const [names, more] = [[...all.keys()].slice(0, NAMES_SHOWN).join(", "), all.size - NAMES_SHOWN]
    const there = all.size === 0 ? "none is loaded" : `there are ${names}${more > 0 ? ` and ${more} more` : ""}`
    const message = name === "" ? `every row must name an adapter; ${there}` : `no adapter "${name}"; ${there}`
    return new AdapterError({ reason: "Unknown", adapter: name, message })
  }
  /** Keeps a name from others while it is loaded. */
  const reserve = (name: string, replace: boolean) =>
    Effect.suspend(() => {
      if (typeof name !== "string" || name === "") {
        const message = `an adapter's name must be a text that is not empty, got ${JSON.stringify(name)}`
        return Effect.fail(new AdapterError({ reason: "Unsupported", adapter: `${name}`, message }))
      }
      const taken = loading.has(name) ? "is being loaded" : all.has(name) && !replace ? "is loaded" : undefined
      if (taken === undefined) return Effect.succeed(loading.add(name))
      const message = `adapter "${name}" ${taken}: unload it first, load it with replace, or give another name`
      return Effect.fail(new AdapterError({ reason: "Taken", adapter: name, message }))
    })
  const read = (name: string, files: AdapterFiles, options: LoadAdapterOptions) =>
    Effect.gen(function* () {
      const values = yield* method.read(name, files, parameters, context).pipe(Effect.mapError(toAdapterError(name)))
      const adapter = yield* storedOf(name, values, parts, options)
      const old = all.get(name)
      all.set(name, adapter)
      if (old !== undefined) table.drop(old)
      return values.notes ?? []
    })
  return {
    slots,
    everyRow,
    get names() {
      return [...all.keys()]
    },
    load: (name, files, options = {}) =>
      Effect.acquireUseRelease(
        reserve(name, options.replace ?? false),
        () => read(name, files, options),
        () => Effect.sync(() => loading.delete(name)),
      ),
    unload: (name) =>
      Effect.suspend(() => {
        const adapter = all.get(name)
        if (adapter === undefined) return Effect.fail(unknown(name))
        all.delete(name)
        table.drop(adapter)
        return Effect.void
      }),
    find: (name) => {
      const found = name === "" && !everyRow ? none : all.get(name)
      if (found === undefined) throw unknown(name)
      return found
    },
    take: (adapters) => {
      const own = (adapters as ReadonlyArray<Stored>).filter((adapter) => adapter !== none)
      const held = table.take(own, write)
      if (held === undefined) return undefined
      const slotOf = new Map(own.map((adapter, i) => [adapter, held[i].slot]))
      const written = Promise.all([...slotOf.keys()].map((adapter) => writes.get(adapter))).then(() => {})
      written.catch(() => {})
      let isOpen = true
      return {
        index: Int32Array.from(adapters as ReadonlyArray<Stored>, (adapter) => slotOf.get(adapter) ?? 0),
        written,
        release: () => {
          if (!isOpen) return
          isOpen = false
          table.release(held)
          for (const adapter of slotOf.keys()) if (all.get(adapter.name) !== adapter) table.drop(adapter)
          waiting.forEach((wake) => wake())
          waiting = []
        },
      }
    },
    released: () => new Promise<void>((wake) => waiting.push(wake)),
    sites,
    parameter: (key, index) => {
      const place = layout.places.get(key)
      if (place === undefined) return undefined
      const { parameter: { shape }, page, offset } = place
      const own = ops.narrow(tensors[page], 1, offset, offset + sizeOf(shape))
      return ops.reshape(ops.gather(own, index), [...index.shape, ...shape])
    },
  }
}

/** An adapter's pages from the values that a method read. */
function storedOf(
  name: string,
  { values, classes }: BankValues,
  { method, layout, base, labels }: BankParts,
  options: LoadAdapterOptions,
): Effect.Effect<Stored, AdapterError> {
  const pages = base.map((page) => page.slice())
  for (const { parameter: { key }, data } of values) {
    const wrong = data.find((value) => !Number.isFinite(value))
    if (wrong !== undefined) {
      const message = `adapter "${name}": "${key}" holds ${wrong}: its training failed, or its file is damaged`
      return Effect.fail(new AdapterError({ reason: "Files", adapter: name, message }))
    }
    const place = layout.places.get(key)
    if (place !== undefined && sizeOf(place.parameter.shape) === data.length) {
      pages[place.page].set(data, place.offset)
      continue
    }
    const what = place === undefined ? "which is none of the bank's" : `which is [${place.parameter.shape}]`
    const message = `${method.id}: it gave ${data.length} numbers for "${key}", ${what}`
    return Effect.fail(new AdapterError({ reason: "Unsupported", adapter: name, message }))
  }
  const { labels: given } = options
  if (given !== undefined && given.length !== classes) {
    const has = classes === undefined ? "no head of its own" : `a head of ${classes} classes`
    const message = `adapter "${name}" has ${has}, and labels names ${given.length}`
    return Effect.fail(new AdapterError({ reason: "Size", adapter: name, message }))
  }
  if (classes === undefined) return Effect.succeed({ name, pages })
  const usual = classes === labels.length ? labels : Array.from({ length: classes }, (_, i) => `LABEL_${i}`)
  return Effect.succeed({ name, pages, labels: given ?? usual })
}

/** A method's failure, with what is known of its kind. */
function toAdapterError(name: string): (cause: Error) => AdapterError {
  return (cause) => {
    if (cause instanceof AdapterError) return cause
    const reason = cause instanceof StorageError ? "Files" : "Unsupported"
    return new AdapterError({ reason, adapter: name, message: `adapter "${name}": ${cause.message}`, cause })
  }
}
