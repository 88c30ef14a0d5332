"""Encoder-decoder models: how they are made, their batches, and their logits, which are of the target's tokens."""

import torch
import transformers

PADDING = 0


def is_seq2seq(case):
    return case["model"]["head"] == "seq2seq"


def build(spec, vocabulary):
    """A small random T5: of version 1.1 where its embeddings are not tied."""
    gated = {} if spec.get("tied", True) else dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    config = transformers.T5Config(
        vocab_size=vocabulary,
        d_model=32,
        d_kv=8,
        d_ff=56,
        num_layers=spec.get("layers", 2),
        num_heads=4,
        # Few buckets, so that rows reach all of them.
        relative_attention_num_buckets=8,
        relative_attention_max_distance=20,
        dropout_rate=0.0,
        initializer_factor=spec.get("std", 1.0),
        pad_token_id=PADDING,
        decoder_start_token_id=PADDING,
        attn_implementation="eager",
        **gated,
    )
    return transformers.T5ForConditionalGeneration(config)


def build_batches(case, vocabulary):
    """Micro-batches of right-padded sources and targets; a target is of another length, and all of it is learned."""
    generator = torch.Generator().manual_seed(1)
    batches = []
    for lengths in case["rows"]:
        batch = {"inputIds": [], "attentionMask": [], "labels": []}
        targets = [3 + length * 7 % 11 for length in lengths]
        for length, target in zip(lengths, targets):
            ids, labels = (torch.randint(3, vocabulary, (n,), generator=generator).tolist() for n in (length, target))
            batch["inputIds"].append(ids + [PADDING] * (max(lengths) - length))
            batch["attentionMask"].append([1] * length + [0] * (max(lengths) - length))
            batch["labels"].append(labels + [-100] * (max(targets) - target))
        batches.append(batch)
    return batches


@torch.no_grad()
def logits_of(model, batches):
    return torch.cat([model(**batch).logits[batch["labels"] != -100] for batch in batches]).contiguous()
