import { InferenceError } from "../inference_error.ts"

/** A file that is being fetched. */
export interface FetchEvent {
  /** Its address. */
  readonly address: string
  /** Bytes so far. */
  readonly loaded: number
  /** Bytes in all, where the server tells. */
  readonly total?: number
}

/** How files are fetched. */
export interface FetchOptions {
  /** Stops it: the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal
  /** Told how far each file is. Default: none. */
  readonly progress?: (event: FetchEvent) => void
  /**
   * Name of a `Cache` (of the browser's Cache API, or Deno's) that keeps what is fetched, for later visits and without a
   * network; what it holds is not asked for again. Default: none, so that the HTTP cache alone decides.
   */
  readonly cache?: string
}

/** Fetches a file; undefined where the server says that it is not there. */
export async function fetchFile(
  address: string,
  { signal, progress, cache }: FetchOptions,
): Promise<Blob | undefined> {
  const store = cache === undefined ? undefined : await caches.open(cache)
  const kept = await store?.match(address)
  if (kept !== undefined) return await kept.blob()
  const response = await answerOf(address, signal)
  // Sites of one page answer every path with that page.
  const isPage = response.headers.get("content-type")?.startsWith("text/html") === true
  if (response.status === 404 || response.status === 410 || (response.ok && isPage)) {
    await response.body?.cancel()
    return undefined
  }
  if (!response.ok || response.body === null) {
    await response.body?.cancel()
    const hint = response.status === 403 ? "; some stores answer so for a file that is not there: name the files" : ""
    throw new InferenceError("Files", `${address} cannot be fetched: the server answers ${response.status}${hint}`)
  }
  const whole = new Response(response.body.pipeThrough(counting(address, response, progress)))
  if (store === undefined) return await whole.blob()
  await store.put(address, whole)
  return await (await store.match(address))!.blob()
}

async function answerOf(address: string, signal: AbortSignal | undefined): Promise<Response> {
  try {
    return await fetch(address, signal === undefined ? {} : { signal })
  } catch (cause) {
    if (signal?.aborted) throw signal.reason
    const why = "the server does not answer, or does not let this page read it (CORS)"
    throw new InferenceError("Files", `${address} cannot be fetched: ${why}`, { cause })
  }
}

function counting(
  address: string,
  { headers }: Response,
  progress: FetchOptions["progress"] = () => {},
): TransformStream<Uint8Array, Uint8Array<ArrayBuffer>> {
  const length = headers.get("content-length")
  // Of a compressed answer the length is another.
  const total = length === null || headers.has("content-encoding") ? {} : { total: Number(length) }
  let loaded = 0
  return new TransformStream({
    transform: (piece: Uint8Array<ArrayBuffer>, controller) => {
      loaded += piece.length
      progress({ address, loaded, ...total })
      controller.enqueue(piece)
    },
  })
}
