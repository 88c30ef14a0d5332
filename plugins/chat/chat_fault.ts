import type { DataErrorFields } from "../../core/data/data_error.ts"

/** What is wrong with a chat. Rows with the same fault are named together. */
export class ChatFault extends Error {
  /** Shown in stack traces. */
  override readonly name: string = "ChatFault"
  /**
   * @param reason Kind of failure.
   * @param what What is wrong, the same words for all rows.
   * @param advice What to do.
   * @param detail Where, or how, in this row.
   */
  constructor(
    readonly reason: DataErrorFields["reason"],
    readonly what: string,
    readonly advice: string,
    readonly detail: string,
  ) {
    super(what)
  }
}
