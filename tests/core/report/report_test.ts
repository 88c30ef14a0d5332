import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import { report, type ReportData } from "../../../core/report/report.ts"
import { reportData } from "./report_data.ts"

const page = report(reportData)

Deno.test("the page holds what the run was and what came of it", () => {
  for (
    const text of [
      "trainable params: 294,912 || all params: 124,734,720 || trainable%: 0.2364",
      "Stopped early after step 300 in 1:01; the weights are those of step 200",
      "<dt>Methods</dt><dd>lora/default</dd>",
      "<dt>Tokens</dt><dd>153,600, 2,560 a second on average</dd>",
      `<th scope="row">Macro-F1</th><td class="number">0.4656</td><td class="number">0.9612</td>`,
      `<th scope="row">custom</th><td class="number">2.00e-5</td><td class="number">–</td>`,
      `<th scope="row">spam</th><td class="number">0.9597</td><td class="number">0.9154</td><td class="number">0.9370</td><td class="number">130</td>`,
      `title="8.5 % of the class">11</td>`,
      `<td class="bad">✗ ham</td><td class="number">61.0 %</td>`,
      "&quot;rank&quot;: 8",
    ]
  ) assertStringIncludes(page, text)
})

Deno.test("nothing in the data becomes markup, and the page needs nothing else", () => {
  assert(!/<script/i.test(page))
  assertStringIncludes(page, "WINNER!! &lt;script&gt;alert(&quot;won&quot;)&lt;/script&gt;")
  assertStringIncludes(page, "<title>Spam &lt;detection&gt; &amp; LoRA</title>")
  assert(!/\b(src|href)=|https?:|url\(|@import/.test(page))
})

Deno.test("a program adds sections of its own, as plain text", () => {
  const added = report({
    ...reportData,
    sections: [{
      title: "Costs <in> EUR",
      text: "a & b",
      table: { head: ["run", "cost"], rows: [["first", "<b>3</b>"]] },
      chart: {
        title: "Cost",
        xLabel: "day",
        series: [{ name: "first", style: "train", dots: true, points: [[0, 1], [1, 3]] }],
      },
    }],
  })
  assertStringIncludes(added, "<h2>Costs &lt;in&gt; EUR</h2>\n<p>a &amp; b</p>")
  assertStringIncludes(added, `<th scope="row">first</th><td class="number">&lt;b&gt;3&lt;/b&gt;</td>`)
  assertStringIncludes(added, "<title>first 3 at 1</title>")
  assert(added.indexOf("Costs") < added.indexOf("<h2>Configuration"))
})

const division: ReportData["division"] = {
  train: { unit: "line", notes: ["a.csv: 2 <b>texts</b> look alike"] },
  duplicates: Array.from(
    { length: 1200 },
    (_, i) => ({ row: 2 * i + 9, of: 2, text: `<u>same</u> ${"x".repeat(200)}` }),
  ),
  conflicts: [{ rows: [5, 8], labels: ["ham", "<i>spam"], text: "Free pears" }],
}

Deno.test("what was left out and what contradicts stands there with its rows", () => {
  const page = report({ ...reportData, division })
  assertEquals(page.match(/<li>/g)?.length, 1001)
  for (
    const text of [
      "<p>a.csv: 2 &lt;b&gt;texts&lt;/b&gt; look alike</p>",
      "<summary>Left out, since an earlier row says the same: 1200 rows</summary>",
      `<li>line 9 as 2: <span class="muted">&lt;u&gt;same&lt;/u&gt; xxx`,
      "<li>line 2007 as 2: ",
      "line 2009 as 2; line 2011 as 2",
      "line 2407 as 2",
      "<summary>Kept in one part although their labels differ: 1 text</summary>",
      `<li>line 5 &quot;ham&quot;, line 8 &quot;&lt;i&gt;spam&quot;: <span class="muted">Free pears</span></li>`,
    ]
  ) assertStringIncludes(page, text)
  assert(
    !report({ ...reportData, division: { train: { unit: "row" }, duplicates: [], conflicts: [] } }).includes(
      "Data</h2>",
    ),
  )
})

Deno.test("the tags are balanced", () => {
  const open: Array<string> = []
  const voids = ["meta", "i", "line", "path"]
  for (const [, slash, name, selfClosed] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*?(\/?)>/g)) {
    if (selfClosed === "/" || (voids.includes(name) && name !== "i")) continue
    if (slash === "") open.push(name)
    else assertEquals(open.pop(), name)
  }
  assertEquals(open, [])
})

Deno.test("the curves show the run", () => {
  const paths = [...page.matchAll(/<path d="M([^"]+)"/g)].map(([, path]) =>
    path.split("L").map((pair) => pair.split(",").map(Number))
  )
  assertEquals(paths.map((points) => points.length), [300, 300, 4, 300])
  assert(paths.flat(2).every(Number.isFinite))
  const [, loss, validation, rate] = paths
  assert(loss[299][1] > loss[0][1], "a falling loss runs downwards, where y grows")
  assert(rate[29][1] < rate[0][1] && rate[29][1] < rate[299][1], "warm-up and decay")
  assertEquals([validation[0][0], validation[3][0]], [58, 506], "from the left edge to the right one")
  assertEquals(page.match(/<circle /g)?.length, 4)
})

Deno.test("a long run is drawn with few points", () => {
  const step = reportData.events.find((event) => event.type === "step")!
  const events = Array.from({ length: 20_000 }, (_, index) => ({ ...step, step: index + 1 }))
  const long = report({ ...reportData, events })
  assert(long.length < 60_000, `${long.length} characters`)
})

Deno.test("wrong predictions come first, the surest on top, from all that was judged", () => {
  const samples = Array.from({ length: 400 }, (_, i) => ({
    text: `text ${i}`,
    expected: "ham",
    // The wrong ones lie at the end.
    predicted: i < 390 ? "ham" : "spam",
    probability: 0.5 + ((i * 7) % 400) / 1000,
  }))
  const shown = (given: typeof reportData.samples) => {
    const html = report({ ...reportData, samples: given })
    return [...html.matchAll(/<td class="text">([^<]*)<\/td>.*?<td class="(good|bad)">.*?<td class="number">([^<]*)</g)]
      .map(([, text, style, sure]) => ({ text, style, sure: Number.parseFloat(sure) }))
  }
  const rows = shown(samples)
  assertEquals(rows.length, 50)
  assertEquals(rows.map(({ style }) => style), [...Array(10).fill("bad"), ...Array(40).fill("good")])
  for (const part of [rows.slice(0, 10), rows.slice(10)]) {
    const sure = part.map(({ sure }) => sure)
    assertEquals(sure, sure.toSorted((a, b) => b - a))
  }
  const surest = samples.slice(390).toSorted((a, b) => b.probability - a.probability)[0]
  assertEquals(rows[0].text, surest.text)
  const html = report({ ...reportData, samples })
  assertStringIncludes(html, "10 of 400 are wrong; 50 are shown")
  // The order that was given is left as it is where nothing tells rows apart; what has no probability comes last.
  const plain = ["c", "a", "b"].map((text) => ({ text, expected: "x", predicted: "y" }))
  assertEquals(shown([...plain, { ...plain[0], text: "d", probability: 0.1 }]).map(({ text }) => text), [
    "d",
    "c",
    "a",
    "b",
  ])
  const many = samples.map((sample) => ({ ...sample, predicted: "spam" }))
  assert(shown(many).every(({ style }) => style === "bad"))
})

Deno.test("parts without data are left out", () => {
  const empty = report({ title: "t", facts: {}, events: [], evaluations: [], samples: [], config: {} })
  assertEquals([...empty.matchAll(/<h2>([^<]+)/g)].map(([, title]) => title), ["Configuration"])
  assertEquals(
    [...page.matchAll(/<h2>([^<]+)/g)].map(([, title]) => title),
    ["Warnings", "Evaluation", "Training", "Classes", "Sample predictions", "Configuration"],
  )
  const one = report({ ...reportData, events: reportData.events.slice(0, 3) })
  assert(!one.includes("NaN"))
})
