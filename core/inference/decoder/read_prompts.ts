/**
 * Prompts of rows that are read: in parts, several together, and from another row where that one has begun alike.
 * @module
 */
import type { Decoder } from "./decoder.ts"
import type { Part } from "./prompt_parts.ts"

/** The prompt of a row. */
export interface Prompt extends Omit<Part, "read"> {
  /** What keys and values come from beside the plugin: the adapter itself, as slots change hands. */
  readonly source: unknown
  /** Number of its tokens that are read. */
  read: number
}

/** What was read of prompts. */
export interface Reading<P> {
  /** Logits of the next token, of those that are read to the end. */
  readonly logits: ReadonlyMap<P, Float32Array>
  /** Tokens by which prompts went on. */
  readonly tokens: number
  /** How many of these were copied. */
  readonly shared: number
}

/** Fewest tokens that are worth a copy. */
const FEWEST_SHARED = 16

/**
 * How many of a prompt's first tokens are also the first of another one, up to `most`, and lead to the same keys and values.
 * The prompt's last token is none of them: it gives the logits.
 */
export function commonTokens(own: Prompt, other: Prompt, most: number): number {
  const isAlike = own.plugin === other.plugin && own.source === other.source
  const end = isAlike ? Math.min(most, own.prompt.length - 1) : 0
  let common = 0
  while (common < end && own.prompt[common] === other.prompt[common]) common++
  return common
}

/**
 * Reads on in prompts, given in the order in which they are read.
 *
 * @param held Prompts of which rows of the cache hold what was read, these among them.
 */
export async function readPrompts<P extends Prompt>(
  decoder: Decoder,
  prompts: ReadonlyArray<P>,
  held: ReadonlyArray<Prompt>,
): Promise<Reading<P>> {
  const before = prompts.map(({ read }) => read)
  let shared = 0
  if (decoder.sharable) { for (const prompt of prompts) shared += await copied(decoder, prompt, held) }
  // What one that is read now brings is not computed twice.
  const waits = (own: P, place: number) =>
    decoder.sharable &&
    prompts.slice(0, place).some((other) => commonTokens(own, other, other.prompt.length) >= own.read + FEWEST_SHARED)
  const chosen = prompts.filter((own, place) => !waits(own, place)).slice(0, decoder.parts)
  try {
    const parts = await decoder.read(chosen)
    chosen.forEach((prompt, i) => prompt.read = parts[i].read)
    const ended = chosen.flatMap((prompt, i) => {
      const { logits } = parts[i]
      return logits === undefined ? [] : [[prompt, logits] as const]
    })
    const tokens = prompts.reduce((sum, { read }, i) => sum + read - before[i], 0)
    return { logits: new Map(ended), tokens, shared }
  } catch (error) {
    // A state is no longer what it was before.
    if (!decoder.sharable) prompts.forEach((prompt) => prompt.read = 0)
    throw error
  }
}

/** Copies what another row has read, if that is more. Gives by how many tokens. */
async function copied(decoder: Decoder, own: Prompt, held: ReadonlyArray<Prompt>): Promise<number> {
  let [best, most] = [own, own.read]
  for (const other of held) {
    const common = other === own ? 0 : commonTokens(own, other, other.read)
    if (common >= own.read + FEWEST_SHARED && common > most) [best, most] = [other, common]
  }
  if (best === own) return 0
  const before = own.read
  await decoder.copy(best.slot, own.slot, most)
  own.read = most
  return most - before
}
