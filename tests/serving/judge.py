"""lm-eval on a server and on transformers with the same weights: the scores of both, and where they differ.

Arguments: URL of /v1/completions, directory of the model, number of rows; what is slow gets a tenth of them.
"""

import csv
import json
import os
import sys
import tempfile

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

from lm_eval import simple_evaluate  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

url, model, count = sys.argv[1], sys.argv[2].rstrip("/"), int(sys.argv[3])
data = os.path.join(os.path.dirname(__file__), "../../examples/data/sms_spam.tsv")

CHOICE = {
    "task": "sms_choice",
    "output_type": "multiple_choice",
    "doc_to_text": "Message: {{text}}\nThis message is",
    "doc_to_choice": [" welcome", " spam"],
    "doc_to_target": "{{label}}",
    "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
}
PERPLEXITY = {
    "task": "sms_perplexity",
    "output_type": "loglikelihood_rolling",
    "doc_to_text": "",
    "doc_to_target": "{{text}}",
    "metric_list": [{"metric": "byte_perplexity"}],
}
WRITTEN = {
    "task": "sms_written",
    "output_type": "generate_until",
    "doc_to_text": "Message: {{text}}\nAnswer:",
    "doc_to_target": "{{text}}",
    "generation_kwargs": {"until": ["\n", "."], "max_gen_toks": 12, "do_sample": False},
    "metric_list": [{"metric": "exact_match"}],
}


def rows(count):
    """As many of either label."""
    with open(data, newline="", encoding="utf-8") as file:
        all_rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for i in range(count // 2):
        for label, name in enumerate(["ham", "spam"]):
            yield {"text": [row for row in all_rows if row["Label"] == name][i]["SMS"], "label": label}


def evaluate(kind, arguments, tasks, folder, size):
    return simple_evaluate(
        model=kind, model_args=arguments, tasks=[task["task"] for task in tasks], bootstrap_iters=0, batch_size=size,
        task_manager=TaskManager(include_path=folder, include_defaults=False),
    )


def responses(result, name):
    """What the model said to each row, in the order of the rows."""
    samples = sorted(result["samples"][name], key=lambda sample: sample["doc_id"])
    return [answer for sample in samples for answer in sample["filtered_resps"]]


with tempfile.TemporaryDirectory() as folder:
    tasks = [CHOICE, PERPLEXITY, WRITTEN]
    for task in tasks:
        path = f"{folder}/{task['task']}.jsonl"
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows(count if task is CHOICE else count // 10))
        own = {**task, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": path}}}
        with open(f"{folder}/{task['task']}.yaml", "w", encoding="utf-8") as file:
            json.dump({**own, "test_split": "test"}, file)
    name = os.path.basename(model)
    served = evaluate(
        "local-completions",
        f"model={name},base_url={url},tokenizer={model},num_concurrent=4,max_retries=3,max_length=512", tasks, folder, 1,
    )
    own = evaluate("hf", f"pretrained={model},dtype=float32,device=cpu,max_length=512", tasks, folder, 16)

print(f"{count} rows, {name}: the server beside transformers")
wrong = []
for task in tasks:
    for metric, value in own["results"][task["task"]].items():
        if isinstance(value, float) and "stderr" not in metric:
            there = served["results"][task["task"]][metric]
            print(f"  {task['task']} {metric}: {there:.6f} and {value:.6f}")
            wrong += [metric] if abs(there - value) > 1e-4 * max(1, abs(value)) else []
pairs = list(zip(responses(served, "sms_choice"), responses(own, "sms_choice"), strict=True))
print(f"  largest difference of a log-likelihood: {max(abs(a[0] - b[0]) for a, b in pairs):.1e}")
print(f"  greedy alike: {sum(a[1] == b[1] for a, b in pairs)} of {len(pairs)}")
texts = list(zip(responses(served, "sms_written"), responses(own, "sms_written"), strict=True))
print(f"  texts alike: {sum(a == b for a, b in texts)} of {len(texts)}")
wrong += ["greedy"] * any(a[1] != b[1] for a, b in pairs) + ["texts"] * any(a != b for a, b in texts)
sys.exit(f"these differ: {wrong}" if wrong else 0)
