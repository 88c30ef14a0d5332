"""Tokenizers of the kinds that the families have, trained on lines, and the ids that the Rust library gives these lines.

    python tokenizers_reference.py lines.json folder [made]

lines.json: a list of texts. Into the folder, for each kind: KIND/tokenizer.json and KIND/ids.json, a list of [ids with special tokens, ids
without, decoded]. Kinds of SentencePiece are trained by it, and become a tokenizer.json as transformers 4 makes those of the models. With
`made`, the folder of an earlier run, its tokenizers are read in place of new ones.
"""

import importlib
import io
import json
import os
import pathlib
import sys

os.environ["TOKENIZERS_PARALLELISM"] = "false"

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

lines = json.loads(pathlib.Path(sys.argv[1]).read_text())
folder = pathlib.Path(sys.argv[2])
# Every second line, so that half of them are new to the tokenizers.
corpus = lines[::2]

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def special(*tokens):
    return [AddedToken(token, special=True, normalized=False) for token in tokens]


def template(tokenizer, single, *tokens):
    pair = f"{single} {single.replace('$A', '$B:1')}"
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=[(t, tokenizer.token_to_id(t)) for t in tokens])


def byte_level(pre_tokenizer, tokens, normalizer=None, size=2000, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=special(*tokens), show_progress=False
    ))
    return tokenizer


def by_pattern(pattern):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    ])


def gpt2():
    return byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|endoftext|>"])


def roberta():
    tokenizer = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), ["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True, normalized=False)])
    tokenizer.post_processor = processors.RobertaProcessing(
        sep=("</s>", 2), cls=("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    return tokenizer


def llama3():
    tokenizer = byte_level(by_pattern(LLAMA3), ["<|begin_of_text|>", "<|end_of_text|>"], ignore_merges=True)
    around = template(tokenizer, "<|begin_of_text|> $A", "<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), around])
    return tokenizer


def qwen():
    tokenizer = byte_level(by_pattern(QWEN2), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], normalizers.NFC())
    tokenizer.add_tokens([AddedToken("<tool_call>", normalized=False), AddedToken("</think>", normalized=False)])
    return tokenizer


def smollm():
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return byte_level(digits, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])


def lfm2():
    tokenizer = byte_level(by_pattern(LLAMA3), ["<|pad|>", "<|startoftext|>", "<|endoftext|>", "<|im_end|>"])
    around = template(tokenizer, "<|startoftext|> $A", "<|startoftext|>")
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), around])
    return tokenizer


def modern_bert():
    tokenizer = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|endoftext|>"], normalizers.NFC())
    # Runs of spaces are tokens that are looked for in the normalized text.
    tokenizer.add_tokens([AddedToken(" " * count, normalized=True) for count in range(24, 1, -1)])
    tokenizer.add_special_tokens(special("[UNK]", "[CLS]", "[SEP]", "[PAD]") + [AddedToken("[MASK]", lstrip=True, special=True)])
    tokenizer.post_processor = template(tokenizer, "[CLS] $A [SEP]", "[CLS]", "[SEP]")
    return tokenizer


def word_piece(lowercase, cls, sep):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(corpus, trainers.WordPieceTrainer(
        vocab_size=2000, special_tokens=special("[PAD]", "[UNK]", cls, sep, "[MASK]"), show_progress=False
    ))
    tokenizer.post_processor = template(tokenizer, f"{cls} $A {sep}", cls, sep)
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def sentence_piece(kind, **options):
    """A model's proto, as its maker trains it."""
    import sentencepiece

    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=written, model_type=kind, vocab_size=1200, hard_vocab_limit=False,
        minloglevel=2, **options
    )
    path = folder / "trained.model"
    path.write_bytes(written.getvalue())
    return str(path)


class Slow:
    """As much of a slow tokenizer as a converter reads."""

    pad_token, eos_token, bos_token = "<pad>", "</s>", "<s>"
    add_prefix_space, legacy = True, True

    def __init__(self, vocab_file, **more):
        self.vocab_file = vocab_file
        self.__dict__.update(more)

    def convert_ids_to_tokens(self, id):
        return ["<unk>", "<s>", "</s>"][id]

    def convert_tokens_to_ids(self, token):
        return self.ids[token]


def converted(name, slow):
    converters = importlib.import_module("transformers.convert_slow_tokenizer")
    return getattr(converters, name)(slow).converted()


def t5():
    path = sentence_piece("unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    tokenizer = converted("T5Converter", Slow(path, _extra_ids=0, ids={"</s>": 1}))
    tokenizer.add_special_tokens(special(*[f"<extra_id_{number}>" for number in range(9, -1, -1)]))
    return tokenizer


def xlm_roberta():
    path = sentence_piece("unigram", bos_id=0, eos_id=2, unk_id=1, pad_id=-1)
    tokenizer = converted("XLMRobertaConverter", Slow(path, ids={"<s>": 0, "</s>": 2}))
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    return tokenizer


def without_map(kind, converter, **more):
    path = sentence_piece(
        "bpe", byte_fallback=True, pad_id=-1 if kind == "llama" else 0, eos_id=2 if kind == "llama" else 1, bos_id=1 if kind == "llama" else 2,
        unk_id=0 if kind == "llama" else 3, normalization_rule_name="identity", remove_extra_whitespaces=False,
        split_digits=True, add_dummy_prefix=kind == "llama", user_defined_symbols=[] if kind == "llama" else ["\n", "▁▁", "▁▁▁"],
    )
    return converted(converter, Slow(path, **more))


def llama2():
    tokenizer = without_map("llama", "LlamaConverter", add_prefix_space=True)
    tokenizer.post_processor = template(tokenizer, "<s> $A", "<s>")
    return tokenizer


def mistral():
    tokenizer = without_map("llama", "LlamaConverter", legacy=False)
    tokenizer.post_processor = template(tokenizer, "<s> $A", "<s>")
    return tokenizer


def gemma():
    tokenizer = without_map("gemma", "GemmaConverter")
    tokenizer.post_processor = template(tokenizer, "<s> $A", "<s>")
    return tokenizer


KINDS = {
    "gpt2": gpt2,
    "roberta": roberta,
    "llama3": llama3,
    "qwen": qwen,
    "smollm-granite": smollm,
    "lfm2": lfm2,
    "modern-bert": modern_bert,
    "gemma": gemma,
    "llama2": llama2,
    "mistral": mistral,
    "t5": t5,
    "xlm-roberta": xlm_roberta,
    "bert-uncased": lambda: word_piece(True, "[CLS]", "[SEP]"),
    "bert-cased": lambda: word_piece(False, "[CLS]", "[SEP]"),
    "mpnet": lambda: word_piece(True, "<s>", "</s>"),
}

for kind, make in KINDS.items():
    own = folder / kind
    own.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) > 3:
        (own / "tokenizer.json").write_text((pathlib.Path(sys.argv[3]) / kind / "tokenizer.json").read_text())
    else:
        make().save(str(own / "tokenizer.json"))
    # What was saved, not what was made: that is what others read.
    tokenizer = Tokenizer.from_file(str(own / "tokenizer.json"))
    answers = []
    for line in lines:
        ids = tokenizer.encode(line).ids
        answers.append([ids, tokenizer.encode(line, add_special_tokens=False).ids, tokenizer.decode(ids, skip_special_tokens=False)])
    (own / "ids.json").write_text(json.dumps(answers))
