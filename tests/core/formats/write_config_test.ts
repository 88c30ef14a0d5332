import { assertEquals } from "@std/assert"
import { writeConfig } from "../../../core/formats/json/write_config.ts"
import { inDirectory } from "../../plugins/files.ts"
import { run } from "../../support/model_layer.ts"

Deno.test("whole numbers are floats where transformers 5 takes nothing else; all else is as it was", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/config.json`
    const config = {
      final_logit_softcapping: 30,
      attn_logit_softcapping: null,
      hidden_size: 16,
      initializer_cutoff_factor: 2,
      layer_norm_eps: 1e-12,
      rms_norm_eps: 1,
      note: '"rms_norm_eps": 1',
      text_config: { initializer_factor: 1 },
    }
    await run(writeConfig(path, config))
    const text = await Deno.readTextFile(path)
    assertEquals(JSON.parse(text), config)
    assertEquals(text.match(/\d+\.0\b/g), ["30.0", "2.0", "1.0", "1.0"])
  }))
