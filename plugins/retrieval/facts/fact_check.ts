/** Something that a text says, or that it should say. */
export interface Fact {
  /** What it is about, such as `area`. */
  readonly name: string
  /** What is said of it, such as `riverside`. */
  readonly value: string
}

/** What a text says, beside its evidence. */
export interface Judgement {
  /** What it says and the evidence bears out. */
  readonly supported: ReadonlyArray<Fact>
  /** What it says and the evidence does not bear out. */
  readonly unsupported: ReadonlyArray<Fact>
  /** What it should say and says. */
  readonly covered: ReadonlyArray<Fact>
  /** What it should say and does not. */
  readonly missing: ReadonlyArray<Fact>
}

/** Finds the facts of a text and compares them with evidence: a plain function, without a model. */
export interface FactCheck<Evidence> {
  /** Its name. */
  readonly name: string
  /** Judges a text. */
  readonly judge: (text: string, evidence: Evidence) => Judgement
}
