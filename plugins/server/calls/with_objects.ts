import { parseJsonValue } from "../../../core/data/readers/json/json_value.ts"
import type { Message } from "../../chat/mod.ts"
import { badField } from "../requests/api_error.ts"
import { findOutside } from "./json_calls.ts"

/** Lists and objects within each other, at most. */
const LEVELS = 200

interface GivenCall {
  readonly function?: { readonly arguments?: unknown }
}

/** Arguments as an object: templates write them as JSON, or go through them. Nothing stands for none. Throws ApiError. */
function objectOf(given: string, at: string): object {
  if (given === "") return {}
  try {
    const isDeep = findOutside(given, (_, depth) => depth > LEVELS) !== -1
    const value = isDeep ? undefined : parseJsonValue(given)
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value
  } catch {
    // Told below.
  }
  throw badField(at, `${at} must be an object as JSON, of at most ${LEVELS} levels`)
}

/** A message whose calls have objects as arguments, as templates want them; clients send them as JSON. Throws ApiError. */
export function withObjects(message: Message, at: string): Message {
  const { tool_calls: calls, ...rest } = message
  if (!Array.isArray(calls)) return message
  if (calls.length === 0) return rest as Message
  return {
    ...message,
    tool_calls: (calls as ReadonlyArray<GivenCall>).map((call, i) => {
      const given = call.function?.arguments
      if (typeof given !== "string") return call
      const place = `${at}.tool_calls[${i}].function.arguments`
      return { ...call, function: { ...call.function, arguments: objectOf(given, place) } }
    }),
  }
}
