/** Style sheet of the report: light and dark, for screens and for paper. */
export const reportStyle: string = `
:root { color-scheme: light dark; --page: #fbfbfa; --card: #fff; --text: #1c2024; --muted: #60676f; --rule: #e2e4e7;
  --train: #2563eb; --validation: #d9650b; --rate: #0b8a7a; --bad: #c02626; --good: #15803d }
@media screen and (prefers-color-scheme: dark) { :root { --page: #15181b; --card: #1d2125; --text: #e6e8ea; --muted: #9aa2ab;
  --rule: #343a41; --train: #7aa7ff; --validation: #f5a35c; --rate: #4fd1bd; --bad: #ff8a80; --good: #6fdc96 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1080px; padding: 32px 20px 64px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
h1 { margin: 0; font-size: 26px; line-height: 1.25; overflow-wrap: anywhere }
h2 { margin: 36px 0 12px; font-size: 18px }
p { margin: 6px 0 }
.muted { color: var(--muted) }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 16px 18px; overflow-x: auto }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 16px 0 0 }
dt { color: var(--muted) } dd { margin: 0; overflow-wrap: anywhere }
code, pre { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }
.charts, .classes { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(430px, 100%), 1fr)) }
figure { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 14px 16px 8px }
figcaption { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-bottom: 6px }
figcaption span { display: inline-flex; align-items: center; gap: 6px; color: var(--muted); font-size: 13px }
figcaption i { width: 16px; height: 3px; border-radius: 2px; background: currentColor }
figcaption span.train i { background: var(--train) } figcaption span.validation i { background: var(--validation) }
figcaption span.rate i { background: var(--rate) }
svg { display: block; width: 100%; height: auto }
svg text { font: 12px system-ui, sans-serif; fill: var(--muted) }
svg .grid line { stroke: var(--rule) }
svg path { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round }
svg circle { fill: currentColor }
svg .train, svg .raw { color: var(--train) } svg .validation { color: var(--validation) } svg .rate { color: var(--rate) }
svg .raw path { stroke-width: 1; opacity: .35 }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { padding: 6px 12px; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top }
th { color: var(--muted); font-weight: 500; font-size: 13px }
tbody th { color: var(--text); font-size: 15px; font-weight: 400 }
tbody tr:last-child > * { border-bottom: 0 }
details { margin: 10px 0 0 } summary { cursor: pointer } .rows { margin: 8px 0; padding-left: 20px; overflow-wrap: anywhere }
.number { text-align: right; white-space: nowrap }
.text { white-space: pre-wrap; overflow-wrap: anywhere; min-width: 220px }
.bad { color: var(--bad) } .good { color: var(--good) }
.confusion td { text-align: center; print-color-adjust: exact; -webkit-print-color-adjust: exact }
.confusion thead th { text-align: center } .confusion thead th:first-child { text-align: left }
@media print { body { max-width: none; padding: 0; font-size: 12px } .card, figure { break-inside: avoid }
  h2 { break-after: avoid } tr { break-inside: avoid } }
`
