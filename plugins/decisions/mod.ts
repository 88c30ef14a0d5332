export { type DecisionConfig, DEFAULT_CONFIG, load, save } from "./decision_config.ts"
export { DecisionError, type DecisionErrorFields } from "./decision_error.ts"
export { decide, type Decided, type Decider } from "./decide.ts"
export type {
  ChoiceAnswer,
  ChoiceQuestion,
  DecisionAnswer,
  DecisionRequest,
  Description,
  Question,
  ScoreAnswer,
  ScoreQuestion,
  YesAnswer,
  YesQuestion,
} from "./question.ts"
