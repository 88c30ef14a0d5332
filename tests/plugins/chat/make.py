"""Reference values for chat templates: python make.py GSM8K.jsonl, with transformers 5.

Writes beside tests/fixtures/chat, from constructs.json and templates/:
  conversations.json         50 conversations: one turn or several, with system messages, thoughts and tools
  constructs_rendered.json   what each small template renders to; nothing where Python raises
  rendered.json              for each template and conversation a hash of the text, with and without a prompt for an answer
  masks.json                 for each template for training the tokens in transformers' assistant mask, which TRL trains on; of
                             conversations that a template refuses, the questions and answers alone
"""
import hashlib
import json
import sys
from pathlib import Path

from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

tests = Path(__file__).resolve().parents[2]
here = tests / "fixtures" / "chat"
SPECIAL = {"bos_token": "<bos>", "eos_token": "<eos>"}


def write(name, value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    (here / f"{name}.json").write_text(text.replace("},{", "},\n{") + "\n", encoding="utf-8")


def render(template, messages, **variables):
    """The text, and what lies within generation blocks; nothing where Python raises."""
    try:
        [text], [marks] = render_jinja_template(
            conversations=[messages], chat_template=template, return_assistant_tokens_mask=True, **variables
        )
        return {"text": text, "generated": marks}
    except Exception:
        return {}


def digest(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def message(role, content, **further):
    return {"role": role, "content": content, **further}


TOOL = {
    "type": "function",
    "function": {
        "name": "multiply",
        "description": "Multiplies \"two\" numbers, exactly: 3 × 4",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "number", "default": 0.5}, "items": {"type": "array", "items": {"type": "integer"}}},
            "required": ["a"],
            "strict": False,
        },
        "return": {"type": "number"},
    },
}


def calling(question, answer):
    call = {"type": "function", "id": "call12345", "function": {"name": "multiply", "arguments": {"a": 3, "b": [4, None, True]}}}
    return [
        message("user", question),
        {"role": "assistant", "content": "", "tool_calls": [call]},
        message("tool", '{"result": 12}', name="multiply", tool_call_id="call12345"),
        message("assistant", answer),
    ]


def conversations(rows):
    """One turn (20), several (20), thoughts (6), tools (4); every third of the first 40 has a system message."""
    pairs = iter((row["question"], row["answer"]) for row in rows)
    for at in range(40):
        messages = [message("system", "Solve it step by step.\n\n  Keep the indentation.  ")] if at % 3 == 0 else []
        for _ in range(1 if at < 20 else 2 + at % 3):
            question, answer = next(pairs)
            messages += [message("user", question), message("assistant", f"\n    {answer}\n" if at % 7 == 3 else answer)]
        yield {"messages": messages}
    for at in range(6):
        messages = []
        for turn in range(1 + at // 2):
            question, answer = next(pairs)
            *steps, last = answer.split("\n")
            thought = "\n".join(steps)
            inline = at % 2 == 0
            content = f"<think>\n{thought}\n</think>\n\n{last}" if inline else last
            messages += [
                message("user", question),
                message("assistant", content, **({} if inline else {"reasoning_content": thought})),
            ]
        yield {"messages": messages}
    for at in range(4):
        question, answer = next(pairs)
        messages = calling(question, answer)
        if at % 2 == 0:
            messages = [message("system", "Use tools."), *messages]
        if at > 1:
            messages = [*messages, message("user", "And é, 😀?"), message("assistant", "Yes.")]
        yield {"messages": messages, "tools": [TOOL]}


def tokenizer_of(templates):
    """The included tokenizer, with the special tokens of all families."""
    model = Tokenizer.from_file(str(tests.parent / "examples" / "models" / "espalier-1m" / "tokenizer.json"))
    names = ["<bos>", "<eos>", "<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>", "<|start_header_id|>"]
    names += ["<|end_header_id|>", "<|eot_id|>", "<think>", "</think>", "[INST]", "[/INST]"]
    model.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    write("special_tokens", names)
    return PreTrainedTokenizerFast(tokenizer_object=model, bos_token="<bos>", eos_token="<eos>")


def plain(messages):
    """What every template takes: questions and answers alone."""
    return [one for one in messages if one["role"] in ("user", "assistant") and one["content"]]


def ranges(mask):
    found, start = [], None
    for at, value in enumerate([*mask, 0]):
        if value and start is None:
            start = at
        elif not value and start is not None:
            found.append([start, at])
            start = None
    return found


constructs = json.loads((here / "constructs.json").read_text(encoding="utf-8"))
write("constructs_rendered", [render(source, [], **constructs["values"]) for source in constructs["templates"]])

with open(sys.argv[1], encoding="utf-8") as file:
    chats = list(conversations([json.loads(line) for line in file][:400:3]))
write("conversations", chats)

templates = {path.stem: path.read_text(encoding="utf-8") for path in sorted((here / "templates").glob("*.jinja"))}
rendered = {}
for name, source in templates.items():
    rows = []
    for chat in chats:
        row = []
        for prompt in (False, True):
            values = {**SPECIAL, "tools": chat.get("tools"), "documents": None, "date_string": "26 Jul 2024"}
            own = render(source, chat["messages"], add_generation_prompt=prompt, **values)
            row.append(digest(own["text"]) if own else None)
        rows.append(row)
    rendered[name] = rows
write("rendered", rendered)

tokenizer = tokenizer_of(templates)
masks = {}
for name in sorted(templates):
    if not name.endswith("_training"):
        continue
    rows = []
    how = {"chat_template": templates[name], "return_dict": True, "return_assistant_tokens_mask": True}
    for chat in chats:
        try:
            own = tokenizer.apply_chat_template(chat["messages"], tools=chat.get("tools"), **how)
            taken = "all"
        except Exception:
            own = tokenizer.apply_chat_template(plain(chat["messages"]), **how)
            taken = "plain"
        rows.append([taken, digest(",".join(map(str, own["input_ids"]))), ranges(own["assistant_masks"])])
    masks[name] = rows
write("masks", masks)
