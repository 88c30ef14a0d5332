#!/usr/bin/env bash
# Deno 2.9.6, `Deno.serve`, with --unstable-no-legacy-abort.
# Guess: `request.signal` is aborted when the client closes its connection before the answer, whatever it had sent.
# Seen: so after a body of 100 bytes that the handler has read; after one of 4,000 bytes it is never aborted. A server that waits for
# the signal goes on working for clients that are gone.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >serve.ts <<'END'
const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const told: Record<string, boolean> = {}
const server = Deno.serve({ port: 0, onListen: () => {} }, async (request) => {
  const { byteLength } = await request.arrayBuffer()
  told[byteLength] = false
  request.signal.addEventListener("abort", () => told[byteLength] = true)
  await wait(3000)
  return new Response("done")
})
for (const bytes of [100, 4000]) {
  const connection = await Deno.connect({ port: server.addr.port })
  const head = `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes}\r\n\r\n`
  await connection.write(new TextEncoder().encode(head + "x".repeat(bytes)))
  await wait(500)
  connection.close()
  await wait(2000)
  console.log(`${bytes} bytes: ${told[bytes] ? "aborted" : "not aborted"}`)
}
Deno.exit()
END
npx --yes deno@2.9.6 run --quiet --allow-net --unstable-no-legacy-abort serve.ts >seen
cat >expected <<'END'
100 bytes: aborted
4000 bytes: not aborted
END
diff expected seen && echo "as found"
