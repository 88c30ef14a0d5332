"""The encoders of conformance cases beside BERT: small ones of transformers' classes, with random weights and no dropout."""

import json
import os
import sys

import transformers

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "fixtures", "directories"))
import tokenizers_made as made

MAJOR = int(transformers.__version__.split(".")[0])
SIZES = dict(hidden_size=32, intermediate_size=56, num_attention_heads=4)
# Windows are shorter than most rows, and the bases are ones that tell layers apart.
WINDOWS = dict(
    num_hidden_layers=3, global_attn_every_n_layers=2, local_attention=8, global_rope_theta=500.0, local_rope_theta=50.0,
    classifier_pooling="cls", reference_compile=False, pad_token_id=0,
)
NO_DROPOUT = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
# Positions begin after the row of the padding token.
POSITIONS = dict(num_hidden_layers=2, pad_token_id=1, **NO_DROPOUT)
LLAMA = dict(num_hidden_layers=2, num_key_value_heads=2, pad_token_id=0, rope_theta=500.0)

FAMILIES = {
    "modernbert": ("ModernBert", WINDOWS),
    # transformers 4 forgets the window of a decoder when it saves one, and turns all layers alike.
    "modernbert-decoder": ("ModernBertDecoder", WINDOWS if MAJOR >= 5 else WINDOWS | dict(local_attention=128, local_rope_theta=500.0)),
    "roberta": ("Roberta", POSITIONS | dict(type_vocab_size=1)),
    "xlm-roberta": ("XLMRoberta", POSITIONS | dict(type_vocab_size=1)),
    "camembert": ("Camembert", POSITIONS | dict(type_vocab_size=1)),
    "mpnet": ("MPNet", POSITIONS),
    "eurobert": ("EuroBert", LLAMA),
}

# Of the kinds that the families use.
TOKENIZERS = {
    "modernbert": made.modern_bert,
    "roberta": made.roberta,
    "xlm-roberta": made.xlm_roberta,
    "mpnet": made.mpnet,
    "eurobert": made.modern_bert,
}


def build(spec, head, common):
    """A model for a head (the end of its class's name); `pooling` of the case says what stands for a text."""
    name, own = FAMILIES[spec["family"]]
    options = SIZES | common | own
    if spec.get("pooling") is not None:
        options["classifier_pooling"] = spec["pooling"]
    config = getattr(transformers, name + "Config")(**options, attn_implementation="eager")
    return getattr(transformers, name + head)(config)


def save_with_tokenizer(spec, directory):
    """A masked language model of the vocabulary of a small tokenizer of the family's kind, with it beside."""
    raw, config = TOKENIZERS[spec["family"]]()
    common = dict(vocab_size=raw.get_vocab_size(), max_position_embeddings=128, initializer_range=0.2)
    build(spec, "ForMaskedLM", common).save_pretrained(directory)
    raw.save(os.path.join(directory, "tokenizer.json"))
    with open(os.path.join(directory, "tokenizer_config.json"), "w") as file:
        json.dump(config, file)
    # As this version of transformers writes it.
    transformers.AutoTokenizer.from_pretrained(directory).save_pretrained(directory)
