import type * as Effect from "effect/Effect"
import type { TrainMessage } from "../../contracts/train_event.ts"

/** Tells a line. Default level: info. */
export type Tell = (text: string, level?: TrainMessage["level"]) => Effect.Effect<void>
