/** A text with its right answer. */
export interface Example {
  /** What is asked. */
  readonly input: string
  /** The answer. */
  readonly output: string
}

/** How instruction, examples and input become a prompt. */
export interface PromptFormat {
  /** A prompt up to where the answer begins. */
  readonly prompt: (input: string, examples: ReadonlyArray<Example>) => string
  /** An answer as it follows the prompt. */
  readonly completion: (output: string) => string
}

/** Options of {@link promptFormat}. */
export interface FormatOptions {
  /** What to do, before everything else. Default: nothing. */
  readonly instruction?: string
  /** What stands before an input. Default `"Input: "`. */
  readonly input?: string
  /** What stands before an answer, which follows after a space. Default `"Output:"`. */
  readonly output?: string
  /** What stands between examples. Default an empty line. */
  readonly separator?: string
}

/** Lines of inputs and answers, with an instruction above them. */
export function promptFormat(
  { instruction = "", input: before = "Input: ", output: after = "Output:", separator = "\n\n" }: FormatOptions = {},
): PromptFormat {
  const asked = (input: string) => `${before}${input}\n${after}`
  const completion = (output: string) => ` ${output}`
  return {
    completion,
    prompt: (input, examples) =>
      [
        ...instruction === "" ? [] : [instruction],
        ...examples.map((example) => asked(example.input) + completion(example.output)),
        asked(input),
      ].join(separator),
  }
}
