import type { HubErrorFields } from "../hub_error.ts"
import { type HubName, hubNameText } from "../hub_name.ts"

/** An answer of a hub that is none. */
export class Refusal extends Error {
  /** @param code The hub's own word for it. */
  constructor(readonly status: number, readonly code: string | undefined, message: string) {
    super(message)
  }

  /** Of a response, whose body is read. */
  static async of(response: Response): Promise<Refusal> {
    const { status, headers } = response
    const body = await response.text().catch(() => "")
    return new Refusal(status, headers.get("x-error-code") ?? undefined, headers.get("x-error-message") ?? plain(body))
  }
}

/** A short text of an answer's body: the `error` of JSON, nothing of a page. */
function plain(body: string): string {
  try {
    const { error } = JSON.parse(body)
    return typeof error === "string" ? error.slice(0, 200) : ""
  } catch {
    return ""
  }
}

/** Whether the same request may succeed a moment later. */
export function isPassing(error: unknown): boolean {
  if (error instanceof Refusal) return error.status === 429 || error.status >= 500
  return error instanceof TypeError && !isForbidden(error)
}

/** Deno's own refusal to reach a host. */
const isForbidden = (error: unknown): boolean =>
  error instanceof Error && (error.name === "NotCapable" || error.name === "PermissionDenied")

/** A text without addresses' queries and users, which may be signed. */
const safe = (text: string): string => text.replace(/(https?:\/\/)(?:[^\s/@]*@)?([^\s?#)"']*)[^\s)"']*/g, "$1$2")

/** Who asked. */
interface Asker {
  readonly host: string
  readonly hasToken: boolean
}

type Told = Pick<HubErrorFields, "reason" | "message">

/** What a failed request means. */
export function refused(error: unknown, asked: HubName, asker: Asker): Told {
  const { host } = asker
  if (error instanceof Refusal) return BY_CODE[error.code ?? ""]?.(asked, asker) ?? byStatus(error, asked, asker)
  const { message, cause } = error instanceof Error ? error : new Error(String(error))
  const why = safe(cause instanceof Error ? `${message} (${cause.message})` : message)
  return isForbidden(error)
    ? { reason: "Access", message: `this program may not reach ${host}: give --allow-net=${host} (${why})` }
    : { reason: "Network", message: `the hub ${host} cannot be reached: ${why}. HF_HUB_OFFLINE=1 uses the cache alone` }
}

/** The hub's words in `X-Error-Code`. */
const BY_CODE: Readonly<Record<string, (asked: HubName, asker: Asker) => Told>> = {
  RepoNotFound: unknownRepository,
  RevisionNotFound: ({ repository, revision }) => ({
    reason: "Revision",
    message: `${repository} has no revision "${revision}": name a branch, a tag or a commit`,
  }),
  EntryNotFound: ({ path, ...asked }) => ({
    reason: "File",
    message: `${hubNameText({ ...asked, path: "" })} has no file "${path}"`,
  }),
  GatedRepo: ({ repository }, { host, hasToken }) => ({
    reason: "Access",
    message: `${repository} is gated: accept its terms at ${host}/${repository}` +
      (hasToken ? ", with the account that the token is of" : ", and set HF_TOKEN to a token of that account"),
  }),
}

function unknownRepository({ repository }: HubName, { host, hasToken }: Asker): Told {
  const hidden = hasToken ? "or the token may not see it" : "or it is private: then set HF_TOKEN"
  return { reason: "Repository", message: `${host} has no model "${repository}", ${hidden}` }
}

function byStatus({ status, message }: Refusal, asked: HubName, asker: Asker): Told {
  const { host, hasToken } = asker
  const said = message === "" ? "" : ` (${safe(message)})`
  if (status === 401 && hasToken) {
    return {
      reason: "Access",
      message: `${host} does not accept the token: it is wrong or no longer valid; see HF_TOKEN`,
    }
  }
  if (status === 403) {
    const why = hasToken ? "the token may not do this" : "a token is required: set HF_TOKEN"
    return { reason: "Access", message: `${host} refuses ${hubNameText(asked)}: ${why}${said}` }
  }
  if (status === 401 || status === 404) return unknownRepository(asked, asker)
  const what = status === 429 ? "too many requests; wait, or set HF_TOKEN" : `status ${status}`
  return { reason: "Network", message: `${host} does not answer for ${hubNameText(asked)}: ${what}${said}` }
}
