"""What Python's huggingface_hub finds in a cache, or fetches into it.

    python hub_cache.py find|fetch NAME REVISION FILE...

Prints a line of JSON: the path of each file, or null. The cache and the hub are those of the environment.
"""

import json
import sys

from huggingface_hub import hf_hub_download, snapshot_download, try_to_load_from_cache

verb, name, revision, *files = sys.argv[1:]
if verb == "fetch":
    folder = snapshot_download(name, revision=revision, allow_patterns=files)
    print(json.dumps([folder + "/" + file for file in files]))
else:
    cached = [try_to_load_from_cache(name, file, revision=revision) for file in files]
    # As transformers asks, with the hub out of reach.
    found = [hf_hub_download(name, file, revision=revision, local_files_only=True) for file in files]
    assert cached == found, (cached, found)
    print(json.dumps(found))
