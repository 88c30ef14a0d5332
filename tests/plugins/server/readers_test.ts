import { assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Server from "../../../plugins/server/mod.ts"
import { classifier, tokenizer } from "../../core/training/support.ts"
import { onWasm } from "../../support/on_wasm.ts"

const message = ({ message }: { readonly message: string }) => message

Deno.test("texts are cut to maxLength, of any length; without it those that no positions could hold are refused", () =>
  onWasm(Effect.gen(function* () {
    const model = yield* classifier()
    const { maxPositions } = model.network
    const whole = yield* Server.classifier(model, { name: "whole", tokenizer })
    const cut = yield* Server.classifier(model, { name: "cut", tokenizer, maxLength: 8 })
    const long = "food ".repeat(100_000)
    const error = yield* Effect.flip(whole.classifies!(["food", long]))
    assertStringIncludes(
      (error as Server.ApiError).message,
      `input: a text of 500000 bytes is too long: ${maxPositions}`,
    )
    assertEquals((error as Server.ApiError).param, "input")
    const { results, tokens } = yield* cut.classifies!(["food", long])
    assertEquals([results.length, tokens], [2, tokenizer.encode("food").length + 8])
    const same = yield* cut.classifies!([tokenizer.decode(tokenizer.encode(long).slice(0, 8))])
    assertEquals(results[1].label, same.results[0].label)
    const wrong = yield* Effect.flip(Server.embedder(model, { name: "a", tokenizer, maxLength: maxPositions + 1 }))
    assertStringIncludes(
      message(wrong),
      `maxLength is ${maxPositions + 1}, but the model has ${maxPositions} positions`,
    )
  })))
