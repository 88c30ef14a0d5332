"""Small random models of Gemma, SmolLM3 and Granite, with what their families have and others lack."""

import transformers

MAJOR = int(transformers.__version__.split(".")[0])
FULL, SLIDING = "full_attention", "sliding_attention"
GEMMA = dict(head_dim=12, query_pre_attn_scalar=20, layer_types=[SLIDING, FULL])
# Caps that bend the scores of random models.
CAPS = dict(attn_logit_softcapping=1.0, final_logit_softcapping=6.0)
FACTORS = dict(embedding_multiplier=3.0, attention_multiplier=0.5, residual_multiplier=0.6, logits_scaling=0.5)

# What to call a family's config, its classes, and its own options.
FAMILIES = {
    "gemma3": ("Gemma3TextConfig", {"causal": "Gemma3", "classification": "Gemma3Text"}, GEMMA),
    "gemma2": ("Gemma2Config", {}, GEMMA | CAPS),
    "vaultgemma": ("VaultGemmaConfig", {}, GEMMA | CAPS),
    "smollm3": ("SmolLM3Config", {}, dict(no_rope_layers=[1, 0])),
    "granite": ("GraniteConfig", {}, FACTORS | dict(attention_bias=True, mlp_bias=True)),
    "granite-dense": ("GraniteMoeHybridConfig", {}, FACTORS | dict(
        num_local_experts=0, layer_types=["attention" if MAJOR < 5 else FULL] * 2, shared_intermediate_size=56,
        position_embedding_type="rope", mamba_n_heads=8,
    )),
}


def build(spec, options, ending):
    """A model of a case; `options` are those of all decoders, `ending` that of its class."""
    config, names, own = FAMILIES[spec["family"]]
    options = options | own
    if "gemma" in spec["family"]:
        options["tie_word_embeddings"] = spec.get("tied", True)
        options["sliding_window"] = spec.get("window", options["max_position_embeddings"])
    elif "window" in spec:
        options |= dict(use_sliding_window=True, sliding_window=spec["window"])
    name = names.get(spec["head"], config.removesuffix("Config"))
    return getattr(transformers, name + ending)(getattr(transformers, config)(**options))
