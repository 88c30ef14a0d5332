/**
 * The machine that the examples run on: the CPU or a GPU, its files, and what a hub has by name.
 * @module
 */
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { Espalier } from "../mod.ts"
import * as Hub from "../plugins/hub/mod.ts"
import { defined } from "./shared.ts"

/** Names of a hub beside paths; downloads are shown on stderr, apart from results. */
export const hub = (): Layer.Layer<Hub.Hub | FileSystem.FileSystem, Hub.HubError, FileSystem.FileSystem> => {
  const encoder = new TextEncoder()
  const isTerminal = Deno.stderr.isTerminal()
  const observe = Hub.showDownloads({
    isTerminal,
    columns: isTerminal ? Deno.consoleSize().columns : 80,
    write: (text) => void Deno.stderr.writeSync(encoder.encode(text)),
    now: () => performance.now(),
  })
  return Hub.layer({ observe })
}

/** Backend and files, with names of a hub. */
export const machine = ({ threads }: { readonly threads?: number | undefined }) =>
  hub().pipe(Layer.provideMerge(Espalier.layerWith({ wasm: defined({ threads }) })))
