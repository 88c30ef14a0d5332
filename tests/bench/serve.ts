/**
 * The protocol between the bench and its contestants.
 *
 * A contestant is a process. To each line `step N` on its standard input it answers with a line of JSON on its standard
 * output, {@link StepTimes}; to any other line that it knows with a line of JSON too.
 * @module
 */

/** What a contestant answers to `step N`. */
export interface StepTimes {
  /** Of each step. */
  readonly milliseconds: ReadonlyArray<number>
  /** Of the last step, before its update: all contestants must agree on it. */
  readonly loss: number
}

/** Answers the lines of standard input until it ends. */
export const serve = async (
  /** Does one step to its very end and gives its loss, or also the time of what counts of it. */
  step: () => Promise<number | { readonly loss: number; readonly milliseconds: number }>,
  /** What other lines are answered with. */
  answers: Readonly<Record<string, () => unknown>> = {},
): Promise<void> => {
  let rest = ""
  for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n")
    rest = lines.pop()!
    for (const line of lines) {
      if (line in answers) {
        console.log(JSON.stringify(await answers[line]()))
        continue
      }
      const count = Number(/^step (\d+)$/.exec(line)?.[1])
      if (!(count > 0)) throw new Error(`expected "step N", got "${line}"`)
      const milliseconds: Array<number> = []
      let loss = NaN
      for (let i = 0; i < count; i++) {
        const start = performance.now()
        const done = await step()
        const whole = performance.now() - start
        loss = typeof done === "number" ? done : done.loss
        milliseconds.push(typeof done === "number" ? whole : done.milliseconds)
      }
      console.log(JSON.stringify({ milliseconds, loss } satisfies StepTimes))
    }
  }
}
