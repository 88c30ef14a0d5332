/** What a template has written. */
export class Output {
  /** The text so far. */
  text = ""
  /** Where blocks of `{% generation %}` begin and end in it. */
  readonly marks: Array<readonly [from: number, to: number]> = []
}
