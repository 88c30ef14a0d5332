"""What transformers generates by greedy and beam search from small random models of the families.

    python searches_reference.py searches.json folder

searches.json: { families: [{ name, model }], settings }; `model` as a case of cases.ts has it, settings in transformers' spelling.
Into the folder, for each family: NAME/model/ as `save_pretrained` writes it, and NAME/searches.json: { prompts, stop, found }, found[i][j]
of setting i and prompt j the texts, best first: { ids, score }, new tokens up to the end token. Greedy search has no scores: null.
Weights start as float32 numbers, and are computed with in double precision.
"""

import json
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parent.parent))

import torch
import transformers

import reference
import reference_seq2seq

NEW_TOKENS = 12


def build(spec):
    """As for training; of T5's kind mT5, too, which has version 1.1's parts."""
    if spec["family"] != "mt5":
        return reference.build_model(spec)
    torch.manual_seed(spec.get("seed", 0))
    t5 = reference_seq2seq.build(spec | dict(tied=False), reference.VOCABULARY).config.to_dict()
    skipped = ("model_type", "architectures", "dense_act_fn", "is_gated_act")
    config = transformers.MT5Config(**{key: value for key, value in t5.items() if key not in skipped})
    return reference.shake(transformers.MT5ForConditionalGeneration(config))


@torch.no_grad()
def search(model, prompt, stop, settings):
    encodes = model.config.is_encoder_decoder
    # Before version 5, beams cannot move LFM2's cache.
    cached = model.config.model_type != "lfm2" or int(transformers.__version__.split(".")[0]) >= 5
    out = model.generate(
        torch.tensor([prompt]), max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=stop, pad_token_id=0,
        return_dict_in_generate=True, output_scores=True, use_cache=cached, **settings,
    )
    texts = [row[1 if encodes else len(prompt) :] for row in out.sequences.tolist()]
    texts = [ids[: ids.index(stop) + 1] if stop in ids else ids for ids in texts]
    scores = out.sequences_scores.tolist() if "sequences_scores" in out else [None] * len(texts)
    return [dict(ids=ids, score=score) for ids, score in zip(texts, scores)]


def main():
    asked = json.loads(pathlib.Path(sys.argv[1]).read_text())
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for family in asked["families"]:
        own = pathlib.Path(sys.argv[2]) / family["name"]
        model = build(family["model"])
        model.save_pretrained(own / "model")
        model.double().eval()
        prompts = torch.randint(3, reference.VOCABULARY, (2, 9), generator=torch.Generator().manual_seed(3)).tolist()
        prompts[1] = prompts[1][:4]
        # One that greedy search comes to.
        stop = search(model, prompts[0], None, {})[0]["ids"][NEW_TOKENS // 2]
        found = [[search(model, prompt, stop, settings) for prompt in prompts] for settings in asked["settings"]]
        (own / "searches.json").write_text(json.dumps(dict(prompts=prompts, stop=stop, found=found)))


if __name__ == "__main__":
    main()
