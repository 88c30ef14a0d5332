/**
 * A program that fetches a name and prints where it lies: `fetch_program.ts ENDPOINT CACHE NAME`.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Hub from "../../../plugins/hub/mod.ts"

const [endpoint, cache, name] = Deno.args
const hub = Hub.layer({ endpoint, cache }).pipe(Layer.provide(NodeFileSystem.layer))
console.log(await Effect.runPromise(Effect.provide(Effect.flatMap(Hub.Hub, ({ download }) => download(name)), hub)))
