/**
 * What Espalier makes of a directory whose files were changed, in the form of reference_mutations.py.
 * @module
 */
import { outputsOf, taskOf, tokenizerOf } from "../support/directory.ts"

/** One directory to be read. */
export interface Job {
  readonly directory: string
  /** Whether it has a tokenizer that the change could touch. */
  readonly tokenizer: boolean
  /** Kind of model that logits are wanted of, as the end of a class's name; null: none. */
  readonly head: string | null
  readonly tokens: ReadonlyArray<number>
  /** The config before the change, by which the task is known. */
  readonly config: Parameters<typeof taskOf>[0]
}

/** What was read, or why not. */
export interface TokenizerAnswer {
  readonly error?: string
  /** Ids, ids without special tokens, their text, their text without special tokens. */
  readonly texts?: ReadonlyArray<readonly [ids: Array<number>, plain: Array<number>, decoded: string, bare: string]>
  readonly special?: Readonly<Record<string, number | null>>
  readonly notes?: ReadonlyArray<string>
}

/** What was computed, or why not. */
export interface ModelAnswer {
  readonly error?: string
  /** Values of a position. */
  readonly width?: number
  /** One column of so many is in `outputs`. */
  readonly every?: number
  readonly outputs?: ReadonlyArray<number>
  /** Logarithms of the sums of exponentials, by position. */
  readonly sums?: ReadonlyArray<number>
  readonly notes?: ReadonlyArray<string>
}

/** Both of a directory. */
export interface Answer {
  readonly tokenizer?: TokenizerAnswer
  readonly model?: ModelAnswer
}

/** A typed error's words; anything else is a fault of the reader, and said to be. */
const errorOf = (error: unknown): { readonly error: string } => {
  const { _tag, message } = error as { readonly _tag?: string; readonly message?: string }
  return { error: typeof _tag === "string" ? `${_tag}: ${message}` : `UNTYPED ${String(error)}` }
}

const readTokenizer = async (directory: string, texts: ReadonlyArray<string>): Promise<TokenizerAnswer> => {
  try {
    const tokenizer = await tokenizerOf(directory)
    return {
      texts: texts.map((text) => {
        const ids = [...tokenizer.encode(text)]
        const plain = [...tokenizer.encode(text, { addSpecialTokens: false })]
        return [ids, plain, tokenizer.decode(ids), tokenizer.decode(ids, { skipSpecialTokens: true })]
      }),
      special: {
        pad: tokenizer.padId ?? null,
        eos: tokenizer.eosId ?? null,
        bos: tokenizer.bosId ?? null,
        mask: tokenizer.maskId ?? null,
      },
      notes: tokenizer.notes ?? [],
    }
  } catch (error) {
    return errorOf(error)
  }
}

const readModel = async ({ directory, head, tokens, config }: Job): Promise<ModelAnswer> => {
  try {
    const { logits, hidden, notes } = await outputsOf(directory, taskOf(config), tokens)
    const values = Array.from(head === "Model" ? hidden : logits)
    const width = head === "ForSequenceClassification" ? values.length : values.length / tokens.length
    const every = Math.max(1, Math.floor(width / 6))
    const sums = Array.from({ length: values.length / width }, (_, row) => {
      const part = values.slice(row * width, (row + 1) * width)
      const top = Math.max(...part)
      return top + Math.log(part.reduce((sum, value) => sum + Math.exp(value - top), 0))
    })
    return { width, every, outputs: values.filter((_, i) => i % width % every === 0), sums, notes }
  } catch (error) {
    return errorOf(error)
  }
}

/** Reads a directory. */
export const answerOf = async (job: Job, texts: ReadonlyArray<string>): Promise<Answer> => ({
  ...job.tokenizer ? { tokenizer: await readTokenizer(job.directory, texts) } : {},
  ...job.head !== null ? { model: await readModel(job) } : {},
})
