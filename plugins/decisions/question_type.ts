/** Kinds of questions: one of some options, a place on a scale, or yes, which transformers calls "noul". */
export type QuestionType = "choice" | "score" | "noul"
