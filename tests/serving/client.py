"""The official Python client against a server: chat, streams, usage, probabilities, embeddings, classes, errors, retries.

Arguments: base URL, key, name of a model that writes, of its adapter, of one that embeds.
"""

import json
import math
import sys

import openai

url, key, writer, adapter, embedder = sys.argv[1:]
client = openai.OpenAI(base_url=url, api_key=key, max_retries=8)
messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Once upon a time"}]
ask = dict(model=writer, messages=messages, max_tokens=8, temperature=0)

assert {model.id for model in client.models.list()} >= {writer, adapter, embedder}
assert client.models.retrieve(adapter).to_dict()["parent"] == writer

whole = client.chat.completions.create(**ask, logprobs=True, top_logprobs=2)
choice = whole.choices[0]
assert whole.usage.completion_tokens <= 8 and whole.usage.total_tokens > whole.usage.prompt_tokens
for token in choice.logprobs.content:
    assert token.logprob == max(top.logprob for top in token.top_logprobs), "greedy takes the likeliest"
    assert math.exp(token.logprob) <= 1 and len(token.top_logprobs) == 2

text, usage, reason = "", None, None
for chunk in client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}):
    usage = chunk.usage or usage
    for part in chunk.choices:
        text += part.delta.content or ""
        reason = part.finish_reason or reason
assert (text, usage, reason) == (choice.message.content, whole.usage, choice.finish_reason), (text, usage, reason)

several = client.completions.create(model=writer, prompt=["One", "Two"], n=2, temperature=1, seed=7, max_tokens=6)
again = client.completions.create(model=writer, prompt=["One", "Two"], n=2, temperature=1, seed=7, max_tokens=6)
assert [c.text for c in several.choices] == [c.text for c in again.choices] and len(several.choices) == 4
changed = client.chat.completions.create(**{**ask, "model": adapter})
assert changed.choices[0].message.content != choice.message.content, "the adapter changes the answer"

person = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"], "additionalProperties": False}
held = client.chat.completions.create(
    **{**ask, "max_tokens": 60},
    response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": person}},
)
assert held.choices[0].finish_reason == "length" or isinstance(json.loads(held.choices[0].message.content)["age"], int)

parameters = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}
tools = [{"type": "function", "function": {"name": "weather", "parameters": parameters, "strict": True}}]
calling = dict(model=writer, tools=tools, tool_choice="required", parallel_tool_calls=False, temperature=0, max_tokens=60)
question = {"role": "user", "content": "Is it warm in Rome?"}
called = client.chat.completions.create(**calling, messages=[question]).choices[0]
assert (called.message.content, called.finish_reason) == (None, "tool_calls"), called
[call] = called.message.tool_calls
assert call.function.name == "weather" and json.loads(call.function.arguments)["city"] in ["Paris", "Rome"], call
with client.chat.completions.stream(**calling, messages=[question]) as events:
    streamed = events.get_final_completion().choices[0]
assert (streamed.finish_reason, streamed.message.tool_calls[0].function.arguments) == ("tool_calls", call.function.arguments)
result = {"role": "tool", "tool_call_id": call.id, "content": "26 degrees"}
answer = client.chat.completions.create(**{**calling, "tool_choice": "auto"}, messages=[question, called.message, result])
assert answer.choices[0].message.content is not None, "the model says something of what the tool gave"

embedded = client.embeddings.create(model=embedder, input=["a cat", "a dog"])
floats = client.embeddings.create(model=embedder, input="a cat", encoding_format="float")
assert max(abs(a - b) for a, b in zip(embedded.data[0].embedding, floats.data[0].embedding)) < 1e-6
assert embedded.usage.prompt_tokens > 0

for kind, wrong in [
    (openai.NotFoundError, lambda: client.chat.completions.create(**{**ask, "model": "other"})),
    (openai.BadRequestError, lambda: client.chat.completions.create(**ask, presence_penalty=1)),
    (openai.AuthenticationError, lambda: openai.OpenAI(base_url=url, api_key="wrong").models.list()),
]:
    try:
        wrong()
        raise AssertionError(f"{kind} was not raised")
    except kind as error:
        assert error.body["message"], error
print(f"openai {openai.__version__} for Python: all as expected")
