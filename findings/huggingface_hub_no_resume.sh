#!/usr/bin/env bash
# huggingface_hub 2.4.0 beside 0.36.2.
# Guess: what a killed download left in the cache (`blobs/ETAG.incomplete`) is taken up by the next one.
# Seen: 0.36.2 asks for the rest alone. 2.4.0 begins anew, in a file of a name of its own for each attempt, and leaves the part
# where it lies: nothing reads it, nothing removes it.
set -euo pipefail
folder="$(mktemp -d)"
trap 'kill "${server:-0}" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
for version in 0.36.2 2.4.0; do
  python3 -m venv "$version"
  "$version/bin/pip" install --quiet --disable-pip-version-check "huggingface_hub==$version"
done

# A hub with one file of a million bytes.
cat >server.py <<'END'
import http.server
content, sha = b"x" * 1_000_000, "a" * 40
class Hub(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def answer(self, start=0):
        self.send_response(206 if start else 200)
        if start: self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        for name, value in {"X-Repo-Commit": sha, "ETag": '"digest"', "Content-Length": len(content) - start}.items():
            self.send_header(name, str(value))
        self.end_headers()
    def do_HEAD(self): self.answer()
    def do_GET(self):
        asked = self.headers.get("Range")
        print("asked for", asked or "the whole", flush=True)
        start = int(asked[6:-1]) if asked else 0
        self.answer(start)
        self.wfile.write(content[start:])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
print(server.server_port, flush=True)
server.serve_forever()
END
cat >client.py <<'END'
from huggingface_hub import hf_hub_download
hf_hub_download("o/n", "weights.safetensors")
END
for version in 0.36.2 2.4.0; do
  python3 server.py >"requests-$version" &
  server=$!
  until [ -s "requests-$version" ]; do sleep 0.1; done
  export HF_ENDPOINT="http://127.0.0.1:$(head -n 1 "requests-$version")" HF_HUB_CACHE="$folder/cache-$version"
  export HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_PROGRESS_BARS=1
  mkdir -p "$HF_HUB_CACHE/models--o--n/blobs"
  head -c 600000 /dev/zero | tr '\0' x >"$HF_HUB_CACHE/models--o--n/blobs/digest.incomplete"
  "$version/bin/python" client.py
  kill "$server"
  echo "$version: $(tail -n 1 "requests-$version"), parts left: $(find "$HF_HUB_CACHE" -name '*.incomplete' | wc -l)"
done >seen
cat >expected <<'END'
0.36.2: asked for bytes=600000-, parts left: 0
2.4.0: asked for the whole, parts left: 1
END
diff expected seen && echo "as found"
