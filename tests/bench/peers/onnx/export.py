"""A causal language model in a GGUF file as transformers.js reads it, in float32 and in 4 bits, by onnxruntime-genai's builder.

    python export.py model.gguf directory    writes config.json, onnx/model.onnx and onnx/model_q4.onnx

In 4 bits all matrices are in symmetric blocks of 32 (MatMulNBits), multiplied with activations in 8 bits, which is the fastest
on CPUs. The float32 model must continue a prompt with the same tokens as transformers does, or nothing is written.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

PROMPT = [1 + 7919 * (i + 1) % 40000 for i in range(16)]
TOKENS = 64
PACKED = ["int4_block_size=32", "int4_is_symmetric=true", "int4_accuracy_level=4"]


def build(source, directory, width, precision, *options):
    """The builder's model, in one piece. It leaves the width of a head open, which transformers.js would take for 0."""
    builder = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", source, "-o", directory]
    builder += ["-p", precision, "-e", "cpu", "-c", f"{directory}/cache"]
    subprocess.run([*builder, *(["--extra_options", *options] if options else [])], check=True, stdout=subprocess.DEVNULL)
    model = onnx.load(f"{directory}/model.onnx")
    for value in [*model.graph.input, *model.graph.output]:
        if value.name.startswith(("past_key_values.", "present.")):
            value.type.tensor_type.shape.dim[3].dim_value = width
    return model


def continued(path, heads, width):
    """The likeliest next token again and again, by onnxruntime."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = {name: numpy.zeros((1, heads, 0, width), numpy.float32) for name in names}
    made, given = [], PROMPT
    while len(made) < TOKENS:
        past = {f"past_key_values.{name.removeprefix('present.')}": found[name] for name in names if name != "logits"}
        mask = numpy.ones((1, len(PROMPT) + len(made)), numpy.int64)
        results = session.run(names, {"input_ids": numpy.array([given]), "attention_mask": mask, **past})
        found = dict(zip(names, results))
        made.append(int(found["logits"][0, -1].argmax()))
        given = made[-1:]
    return made


def export(file, directory):
    folder, name = os.path.split(file)
    plain = dict(dtype=torch.float32, quantization_config=GgufConfig(dequantize=True))
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, **plain).eval()
    ids = torch.tensor([PROMPT])
    length = dict(min_new_tokens=TOKENS, max_new_tokens=TOKENS)
    expected = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, **length)[0, len(PROMPT) :].tolist()
    heads, width = model.config.num_key_value_heads, model.config.head_dim
    with tempfile.TemporaryDirectory() as temporary:
        source = f"{temporary}/source"
        model.save_pretrained(source)
        AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(source)
        whole = f"{temporary}/model.onnx"
        onnx.save(build(source, f"{temporary}/f32", width, "fp32"), whole)
        seen = continued(whole, heads, width)
        if seen != expected:
            sys.exit(f"{whole} continues with {seen}, transformers with {expected}")
        packed = build(source, f"{temporary}/int4", width, "int4", *PACKED)
        pathlib.Path(directory, "onnx").mkdir(parents=True, exist_ok=True)
        onnx.save(packed, f"{directory}/onnx/model_q4.onnx")
        shutil.move(whole, f"{directory}/onnx/model.onnx")
        model.config.save_pretrained(directory)
        model.generation_config.save_pretrained(directory)


if __name__ == "__main__":
    export(sys.argv[1], sys.argv[2])
