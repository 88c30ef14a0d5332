/**
 * Requests to a hub: the token goes to the hub alone, what fails for a moment is asked again, refusals are typed errors.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { HubError } from "../hub_error.ts"
import { type HubName, hubNameText } from "../hub_name.ts"
import { isPassing, Refusal, refused } from "./refusal.ts"
import type { Settings } from "../settings.ts"

/** Requests of one program. */
export interface Requests {
  /** What functions of `@huggingface/hub` take. */
  readonly library: { readonly hubUrl: string; readonly fetch: typeof fetch }
  /** Runs requests for `asked`; a refusal becomes a {@link HubError}. What fails for a moment runs up to four times. */
  readonly ask: <A>(asked: HubName, run: (signal: AbortSignal) => Promise<A>) => Effect.Effect<A, HubError>
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
const MOST_REDIRECTS = 10

/** Requests with the endpoint and the token of these settings. */
export function requestsOf({ endpoint, token }: Settings): Requests {
  const asker = { host: endpoint.host, hasToken: token !== undefined }
  // A server may repeat what it was sent.
  const hidden = (text: string) => token === undefined ? text : text.replaceAll(Redacted.value(token), "<token>")
  const failed = (error: unknown, asked: HubName) => {
    const { reason, message } = refused(error, asked, asker)
    return new HubError({ reason, asked: hubNameText(asked), message: hidden(message) })
  }
  return {
    library: { hubUrl: endpoint.href.replace(/\/+$/, ""), fetch: guardedFetch(endpoint, token) },
    ask: (asked, run) =>
      Effect.tryPromise({ try: run, catch: (error) => error }).pipe(
        Effect.retry({ times: 3, schedule: Schedule.exponential("300 millis"), while: isPassing }),
        Effect.mapError((error) => failed(error, asked)),
      ),
  }
}

/**
 * `fetch` with the token for the hub's own origin. Redirects are followed here: the headers of a request that leaves the hub
 * hold no token, whatever the runtime does. Throws {@link Refusal} where an answer is none.
 */
function guardedFetch(endpoint: URL, token: Redacted.Redacted<string> | undefined): typeof fetch {
  return async (input, init = {}) => {
    const given = input instanceof Request ? input : undefined
    const method = init.method ?? given?.method ?? "GET"
    const headers = new Headers(init.headers ?? given?.headers)
    const isOwn = (url: URL) => url.origin === endpoint.origin
    let url = new URL(given?.url ?? String(input))
    if (token !== undefined && isOwn(url)) headers.set("authorization", `Bearer ${Redacted.value(token)}`)
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      if (!isOwn(url)) headers.delete("authorization")
      const response = await fetch(url, { ...init, method, headers, redirect: "manual" })
      const next = REDIRECTS.has(response.status) ? response.headers.get("location") : null
      // A range beyond the end is told to the caller.
      if (next === null && (response.ok || response.status === 416)) return response
      if (next === null) throw await Refusal.of(response)
      await response.body?.cancel()
      const target = new URL(next, url)
      if (!/^https?:$/.test(target.protocol) || url.protocol === "https:" && target.protocol === "http:") break
      url = target
    }
    throw new Refusal(0, undefined, "it redirects without an end, or to what is no safe address")
  }
}
