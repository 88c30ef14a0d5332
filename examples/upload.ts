/**
 * Uploads the adapter of a run to a hub, with a model card that says what was measured.
 *
 * ```sh
 * HF_TOKEN=... deno task upload --adapter runs/demo/adapter --to hf:me/spam-lora
 * ```
 *
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import { field } from "../core/options/mod.ts"
import * as Hub from "../plugins/hub/mod.ts"
import { hub } from "./machine.ts"
import { defined, flagsOf, main } from "./shared.ts"

const flags = flagsOf({
  adapter: field.text({ default: "runs/demo/adapter", doc: "Folder of the adapter" }),
  to: field.text({ required: true, doc: "Repository, hf:owner/name; made where it is not there" }),
  base: field.text({ absent: "the adapter's own, else the run's", doc: "Base model, hf:owner/name" }),
  public: field.boolean({ default: false, doc: "Make a new repository public" }),
})

const command = Command.make("upload", flags, ({ adapter, to, base, public: isPublic }) =>
  Effect.gen(function* () {
    const { upload } = yield* Hub.Hub
    const { commit, files } = yield* upload(adapter, { to, private: !isPublic, ...defined({ base }) })
    yield* Console.log(`${to}: ${files.join(", ")}; commit ${commit}`)
  }).pipe(Effect.provide(hub()))).pipe(Command.withDescription("Uploads an adapter with a model card"))

if (import.meta.main) main(command)
