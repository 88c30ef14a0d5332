"""Small models of GPT-2, with random weights, and of LFM2, of which one layer is a convolution and one attention."""

import torch
import transformers


def gpt2(spec, common):
    return transformers.GPT2Config(
        n_embd=32,
        n_inner=56,
        n_layer=2,
        n_head=4,
        n_positions=64,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        resid_pdrop=0.0,
        classifier_dropout=0.0,
        scale_attn_by_inverse_layer_idx=spec.get("scaled", False),
        **common,
    )


def lfm2(spec, common):
    return transformers.Lfm2Config(
        hidden_size=32,
        intermediate_size=84,
        block_multiple_of=4,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        layer_types=["conv", "full_attention"],
        conv_bias=spec.get("biased", False),
        **common,
    )


CONFIGS = {"gpt2": gpt2, "lfm2": lfm2}


def build(spec, head, common):
    """The model of a spec's head; attention as it is written down, not by a kernel."""
    config = CONFIGS[spec["family"]](spec, common | dict(tie_word_embeddings=spec.get("tied", True)))
    return getattr(transformers, "AutoModel" + head).from_config(
        config, dtype=torch.float32, attn_implementation="eager"
    )
