/**
 * `transformers_js_decode.ts directory dtype tokens`: decoding by transformers.js on onnxruntime-node, two threads, through its own
 * `generate`. A step is that many new tokens, greedily, after the prompt of llama_cpp_decode.py; the first of them is outside of
 * the time. In the loss's stead it answers a number made of the tokens, as ours/serving.ts does.
 *
 * The package is imported by a computed name and so stays out of deno.lock, as tfjs does. Hence no types.
 * @module
 */
import { versions } from "../peers.ts"
import { serve } from "../serve.ts"

const { AutoModelForCausalLM, BaseStreamer, Tensor, env } = await import(
  `npm:@huggingface/transformers@${versions.transformersJs}`
)
const [directory, dtype, count] = Deno.args
const tokens = Number(count)

env.allowRemoteModels = false
env.localModelPath = directory.slice(0, directory.lastIndexOf("/") + 1)
const model = await AutoModelForCausalLM.from_pretrained(directory.slice(directory.lastIndexOf("/") + 1), {
  device: "cpu",
  dtype,
  session_options: { intraOpNumThreads: 2, interOpNumThreads: 1 },
})

const prompt = BigInt64Array.from({ length: 16 }, (_, i) => BigInt(1 + 7919 * (i + 1) % 40000))
const whole = (numbers: BigInt64Array) => new Tensor("int64", numbers, [1, numbers.length])

/** When the prompt, and then each token, came. */
class Times extends BaseStreamer {
  readonly times: Array<number> = []
  put(): void {
    this.times.push(performance.now())
  }
  end(): void {}
}

await serve(async () => {
  const streamer = new Times()
  const output = await model.generate({
    inputs: whole(prompt),
    attention_mask: whole(new BigInt64Array(prompt.length).fill(1n)),
    do_sample: false,
    max_new_tokens: tokens,
    min_new_tokens: tokens,
    streamer,
  })
  const made = Array.from(output.data as BigInt64Array, Number).slice(prompt.length)
  const { times } = streamer
  if (made.length !== tokens || times.length !== tokens + 1) {
    throw new Error(`${tokens} tokens wanted, got ${made.length}`)
  }
  const loss = made.reduce((sum, id, at) => sum + id * (at % 7 + 1), 0)
  return { loss, milliseconds: times[tokens] - times[1] }
})
Deno.exit(0)
