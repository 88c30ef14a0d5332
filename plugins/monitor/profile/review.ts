import * as Effect from "effect/Effect"
import type { Review, TaskPart } from "../../../core/run/mod.ts"
import { profile } from "./profile.ts"
import { saveProfile } from "./profile_files.ts"

/** Fewer judging rows give no profile. */
const LEAST_ROWS = 100

/**
 * Saves a profile of the trained model on the rows that judge it: in the run folder, `profile`, or of several tasks
 * `profiles/<task>`. A run with fewer than 100 such rows, or whose rows were trained on, has none; the summary says where it is.
 */
export const saveProfiles: Review = ({ run, parts, model, tell }): ReturnType<Review> =>
  Effect.succeed(() => {
    const { maxLength } = run.training
    const saved = ({ name, judging, judges }: TaskPart) =>
      Effect.gen(function* () {
        if (judges === "training" || judging.rows.length < LEAST_ROWS) return []
        const view = name === undefined ? model : model.view({ task: name })
        const folder = `${run.output}/${name === undefined ? "profile" : `profiles/${name}`}`
        yield* saveProfile(yield* profile(view, judging, { maxLength }), folder)
        return [folder]
      }).pipe(
        // The run is done: what it has is worth more than its profile.
        Effect.catch(({ message }) => Effect.as(tell(`no profile for monitors: ${message}`, "warning"), [])),
      )
    return Effect.map(Effect.forEach(parts, saved), (folders) => {
      const profiles = folders.flat()
      return { sections: [], ...profiles.length === 0 ? {} : { summary: { profiles } } }
    })
  })
