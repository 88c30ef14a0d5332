import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { AdapterBank } from "../../../core/inference/mod.ts"
import type { AdapterSlots } from "../served.ts"

/** A model's bank of adapters, as a server has it: with the folder of each. */
export function slotsOf(bank: AdapterBank): Effect.Effect<AdapterSlots, never, FileSystem.FileSystem> {
  return Effect.map(FileSystem.FileSystem, (fs) => {
    const folders = new Map<string, string>()
    return {
      loaded: () => folders,
      load: (name, folder) =>
        bank.load(name, folder, { replace: true }).pipe(
          Effect.andThen(Effect.sync(() => void folders.set(name, folder))),
          Effect.provideService(FileSystem.FileSystem, fs),
        ),
      unload: (name) => Effect.andThen(bank.unload(name), Effect.sync(() => void folders.delete(name))),
    }
  })
}
