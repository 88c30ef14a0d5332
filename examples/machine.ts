/**
 * The machine that the examples run on: the CPU or a GPU, its files, and what a hub has by name.
 * @module
 */
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { Espalier } from "../mod.ts"
import * as Hub from "../plugins/hub/mod.ts"
import { defined, terminal } from "./shared.ts"

/** Names of a hub beside paths; downloads are shown on stderr, apart from results. */
export const hub = (): Layer.Layer<Hub.Hub | FileSystem.FileSystem, Hub.HubError, FileSystem.FileSystem> =>
  Hub.layer({ observe: Hub.showDownloads(terminal(Deno.stderr)) })

/** Backend and files, with names of a hub. */
export const machine = ({ threads }: { readonly threads?: number | undefined }) =>
  hub().pipe(Layer.provideMerge(Espalier.layerWith({ wasm: defined({ threads }) })))
