import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import { DataError } from "../../../../core/data/data_error.ts"
import { Fields } from "../../../../core/data/tokenizer/fields.ts"
import { readNormalizer } from "../../../../core/data/tokenizer/normalizers.ts"
import { readPipeline } from "../../../../core/data/tokenizer/pipeline.ts"
import { readPreTokenizer } from "../../../../core/data/tokenizer/pre_tokenizers.ts"

// Expected values are those of tokenizers 0.22.2 and 0.23.3 alike.

const pieces = (part: unknown, text: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  readPreTokenizer(new Fields(part, "part", []))((piece) => found.push(piece))(text, 1)
  return found
}

const file = (parts: Readonly<Record<string, unknown>>) => ({
  version: "1.0",
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: "WhitespaceSplit" },
  post_processor: null,
  decoder: null,
  ...parts,
})

const encoder = (json: unknown, notes: Array<string> = []): (text: string) => ReadonlyArray<number> => {
  const pipeline = readPipeline(json, "tokenizer.json", notes)
  pipeline.prepare(false)
  return pipeline.encode
}

const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`)

const words = ["prune it -- well, now", "a--b-c", "na\u00efve \u0153uvre \u00bd x\u00b2 \u6771\u4eac"]

Deno.test("pre-tokenizers cut as the reference does", () => {
  const cuts: ReadonlyArray<readonly [unknown, ReadonlyArray<ReadonlyArray<string>>]> = [
    [{ "type": "Split", "pattern": { "String": "-" }, "behavior": "Removed", "invert": false }, [
      ["prune it ", " well, now"],
      ["a", "b", "c"],
      ["na\u00efve \u0153uvre \u00bd x\u00b2 \u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "Regex": "[\\s-]+" }, "behavior": "Removed", "invert": false }, [
      ["prune", "it", "well,", "now"],
      ["a", "b", "c"],
      ["na\u00efve", "\u0153uvre", "\u00bd", "x\u00b2", "\u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "String": "-" }, "behavior": "Removed", "invert": true }, [["-", "-"], [
      "-",
      "-",
      "-",
    ], []]],
    [{ "type": "Split", "pattern": { "Regex": "[\\s-]+" }, "behavior": "Removed", "invert": true }, [
      [" ", " -- ", " "],
      ["--", "-"],
      [" ", " ", " ", " "],
    ]],
    [{ "type": "Split", "pattern": { "String": "-" }, "behavior": "Isolated", "invert": false }, [
      ["prune it ", "-", "-", " well, now"],
      ["a", "-", "-", "b", "-", "c"],
      ["na\u00efve \u0153uvre \u00bd x\u00b2 \u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "Regex": "[\\s-]+" }, "behavior": "Isolated", "invert": false }, [
      ["prune", " ", "it", " -- ", "well,", " ", "now"],
      ["a", "--", "b", "-", "c"],
      ["na\u00efve", " ", "\u0153uvre", " ", "\u00bd", " ", "x\u00b2", " ", "\u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "String": "-" }, "behavior": "Isolated", "invert": true }, [
      ["prune it ", "-", "-", " well, now"],
      ["a", "-", "-", "b", "-", "c"],
      ["na\u00efve \u0153uvre \u00bd x\u00b2 \u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "Regex": "[\\s-]+" }, "behavior": "Isolated", "invert": true }, [
      ["prune", " ", "it", " -- ", "well,", " ", "now"],
      ["a", "--", "b", "-", "c"],
      ["na\u00efve", " ", "\u0153uvre", " ", "\u00bd", " ", "x\u00b2", " ", "\u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "String": "-" }, "behavior": "MergedWithPrevious", "invert": false }, [
      ["prune it -", "-", " well, now"],
      ["a-", "-", "b-", "c"],
      ["na\u00efve \u0153uvre \u00bd x\u00b2 \u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "Regex": "[\\s-]+" }, "behavior": "MergedWithPrevious", "invert": false }, [
      ["prune ", "it -- ", "well, ", "now"],
      ["a--", "b-", "c"],
      ["na\u00efve ", "\u0153uvre ", "\u00bd ", "x\u00b2 ", "\u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "String": "-" }, "behavior": "MergedWithPrevious", "invert": true }, [
      ["prune it ", "-", "- well, now"],
      ["a", "-", "-b", "-c"],
      ["na\u00efve \u0153uvre \u00bd x\u00b2 \u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "Regex": "[\\s-]+" }, "behavior": "MergedWithPrevious", "invert": true }, [
      ["prune", " it", " -- well,", " now"],
      ["a", "--b", "-c"],
      ["na\u00efve", " \u0153uvre", " \u00bd", " x\u00b2", " \u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "String": "-" }, "behavior": "MergedWithNext", "invert": false }, [
      ["prune it ", "-", "- well, now"],
      ["a", "-", "-b", "-c"],
      ["na\u00efve \u0153uvre \u00bd x\u00b2 \u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "Regex": "[\\s-]+" }, "behavior": "MergedWithNext", "invert": false }, [
      ["prune", " it", " -- well,", " now"],
      ["a", "--b", "-c"],
      ["na\u00efve", " \u0153uvre", " \u00bd", " x\u00b2", " \u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "String": "-" }, "behavior": "MergedWithNext", "invert": true }, [
      ["prune it -", "-", " well, now"],
      ["a-", "-", "b-", "c"],
      ["na\u00efve \u0153uvre \u00bd x\u00b2 \u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "Regex": "[\\s-]+" }, "behavior": "MergedWithNext", "invert": true }, [
      ["prune ", "it -- ", "well, ", "now"],
      ["a--", "b-", "c"],
      ["na\u00efve ", "\u0153uvre ", "\u00bd ", "x\u00b2 ", "\u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "String": "-" }, "behavior": "Contiguous", "invert": false }, [
      ["prune it ", "--", " well, now"],
      ["a", "--", "b", "-", "c"],
      ["na\u00efve \u0153uvre \u00bd x\u00b2 \u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "Regex": "[\\s-]+" }, "behavior": "Contiguous", "invert": false }, [
      ["prune", " ", "it", " -- ", "well,", " ", "now"],
      ["a", "--", "b", "-", "c"],
      ["na\u00efve", " ", "\u0153uvre", " ", "\u00bd", " ", "x\u00b2", " ", "\u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "String": "-" }, "behavior": "Contiguous", "invert": true }, [
      ["prune it ", "--", " well, now"],
      ["a", "--", "b", "-", "c"],
      ["na\u00efve \u0153uvre \u00bd x\u00b2 \u6771\u4eac"],
    ]],
    [{ "type": "Split", "pattern": { "Regex": "[\\s-]+" }, "behavior": "Contiguous", "invert": true }, [
      ["prune", " ", "it", " -- ", "well,", " ", "now"],
      ["a", "--", "b", "-", "c"],
      ["na\u00efve", " ", "\u0153uvre", " ", "\u00bd", " ", "x\u00b2", " ", "\u6771\u4eac"],
    ]],
    [{ "type": "Whitespace" }, [["prune", "it", "--", "well", ",", "now"], ["a", "--", "b", "-", "c"], [
      "na\u00efve",
      "\u0153uvre",
      "\u00bd",
      "x",
      "\u00b2",
      "\u6771\u4eac",
    ]]],
    [{ "type": "Punctuation", "behavior": "Contiguous" }, [["prune it ", "--", " well", ",", " now"], [
      "a",
      "--",
      "b",
      "-",
      "c",
    ], ["na\u00efve \u0153uvre \u00bd x\u00b2 \u6771\u4eac"]]],
    [{ "type": "Punctuation", "behavior": "MergedWithPrevious" }, [["prune it -", "-", " well,", " now"], [
      "a-",
      "-",
      "b-",
      "c",
    ], ["na\u00efve \u0153uvre \u00bd x\u00b2 \u6771\u4eac"]]],
    [{ "type": "Digits", "individual_digits": false }, [["prune it -- well, now"], ["a--b-c"], [
      "na\u00efve \u0153uvre ",
      "\u00bd",
      " x",
      "\u00b2",
      " \u6771\u4eac",
    ]]],
    [{ "type": "BertPreTokenizer" }, [["prune", "it", "-", "-", "well", ",", "now"], ["a", "-", "-", "b", "-", "c"], [
      "na\u00efve",
      "\u0153uvre",
      "\u00bd",
      "x\u00b2",
      "\u6771\u4eac",
    ]]],
    [{ "type": "CharDelimiterSplit", "delimiter": "-" }, [["prune it ", " well, now"], ["a", "b", "c"], [
      "na\u00efve \u0153uvre \u00bd x\u00b2 \u6771\u4eac",
    ]]],
    [{ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true }, [
      ["\u0120prune", "\u0120it", "\u0120--", "\u0120well", ",", "\u0120now"],
      ["\u0120a", "--", "b", "-", "c"],
      [
        "\u0120na\u00c3\u00afve",
        "\u0120\u00c5\u0135uvre",
        "\u0120\u00c2\u00bd",
        "\u0120x",
        "\u00c2\u00b2",
        "\u0120\u00e6\u013f\u00b1\u00e4\u00ba\u00ac",
      ],
    ]],
    [{ "type": "FixedLength", "length": 3 }, [["pru", "ne ", "it ", "-- ", "wel", "l, ", "now"], ["a--", "b-c"]]],
    [{ "type": "Metaspace", "replacement": "\u2581", "add_prefix_space": true }, [
      ["\u2581prune", "\u2581it", "\u2581--", "\u2581well,", "\u2581now"],
      ["\u2581a--b-c"],
      ["\u2581na\u00efve", "\u2581\u0153uvre", "\u2581\u00bd", "\u2581x\u00b2", "\u2581\u6771\u4eac"],
    ]],
    [{ "type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": false }, [
      ["\u2581prune\u2581it\u2581--\u2581well,\u2581now"],
      ["\u2581a--b-c"],
      ["\u2581na\u00efve\u2581\u0153uvre\u2581\u00bd\u2581x\u00b2\u2581\u6771\u4eac"],
    ]],
    [{
      "type": "Sequence",
      "pretokenizers": [{ "type": "WhitespaceSplit" }, {
        "type": "Metaspace",
        "replacement": "\u2581",
        "prepend_scheme": "first",
      }],
    }, [["\u2581prune", "it", "--", "well,", "now"], ["\u2581a--b-c"], [
      "\u2581na\u00efve",
      "\u0153uvre",
      "\u00bd",
      "x\u00b2",
      "\u6771\u4eac",
    ]]],
  ]
  for (const [part, expected] of cuts) {
    assertEquals(words.slice(0, expected.length).map((text) => pieces(part, text)), expected, JSON.stringify(part))
  }
})

const hard = ["it's aabc K9 \u212a12345", "abc ab \u6f22\u5b57kana\nb\u0085b\n ", "x]fa-09\ufeff \u017fy\u00b2"]

Deno.test("regular expressions of Oniguruma mean what they mean there", () => {
  const cuts: ReadonlyArray<readonly [string, ReadonlyArray<ReadonlyArray<string>>]> = [
    ["(?i:'s|k)|x", [["it", "'s", " aabc ", "K", "9 ", "\u212a", "12345"], [
      "abc ab \u6f22\u5b57",
      "k",
      "ana\nb\u0085b\n ",
    ], ["x", "]fa-09\ufeff \u017fy\u00b2"]]],
    ["[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}", [["it", "'s", " aabc", " K", "9", " \u212a", "123", "45"], [
      "abc",
      " ab",
      " \u6f22\u5b57kana",
      "\n",
      "b",
      "\u0085b",
      "\n ",
    ], ["x", "]fa", "-", "09", "\ufeff", " \u017fy", "\u00b2"]]],
    ["(?>a|ab)c", [["it's aabc K9 \u212a12345"], ["abc ab \u6f22\u5b57kana\nb\u0085b\n "], [
      "x]fa-09\ufeff \u017fy\u00b2",
    ]]],
    ["a++b", [["it's ", "aab", "c K9 \u212a12345"], ["ab", "c ", "ab", " \u6f22\u5b57kana\nb\u0085b\n "], [
      "x]fa-09\ufeff \u017fy\u00b2",
    ]]],
    ["\\p{^L}+", [["it", "'", "s", " ", "aabc", " ", "K", "9 ", "\u212a", "12345"], [
      "abc",
      " ",
      "ab",
      " ",
      "\u6f22\u5b57kana",
      "\n",
      "b",
      "\u0085",
      "b",
      "\n ",
    ], ["x", "]", "fa", "-09\ufeff ", "\u017fy", "\u00b2"]]],
    ["[[:punct:]]+|\\h{2}", [["it", "'", "s ", "aa", "bc", " K9 \u212a", "12", "34", "5"], [
      "ab",
      "c ",
      "ab",
      " \u6f22\u5b57kana\nb\u0085b\n ",
    ], ["x", "]", "fa", "-", "09", "\ufeff \u017fy\u00b2"]]],
    ["[a-y&&[^aeiou]]+", [["i", "t", "'", "s", " aa", "bc", " K9 \u212a12345"], [
      "a",
      "bc",
      " a",
      "b",
      " \u6f22\u5b57",
      "k",
      "a",
      "n",
      "a\n",
      "b",
      "\u0085",
      "b",
      "\n ",
    ], ["x", "]", "f", "a-09\ufeff \u017f", "y", "\u00b2"]]],
    ["\\w+", [["it", "'", "s", " ", "aabc", " ", "K9", " ", "\u212a12345"], [
      "abc",
      " ",
      "ab",
      " ",
      "\u6f22\u5b57kana",
      "\n",
      "b",
      "\u0085",
      "b",
      "\n ",
    ], ["x", "]", "fa", "-", "09", "\ufeff ", "\u017fy\u00b2"]]],
    ["\\s+(?!\\S)|\\s+", [["it's", " ", "aabc", " ", "K9", " ", "\u212a12345"], [
      "abc",
      " ",
      "ab",
      " ",
      "\u6f22\u5b57kana",
      "\n",
      "b",
      "\u0085",
      "b",
      "\n ",
    ], ["x]fa-09\ufeff", " ", "\u017fy\u00b2"]]],
    ["^b|b$", [["it's aabc K9 \u212a12345"], ["abc ab \u6f22\u5b57kana\n", "b", "\u0085", "b", "\n "], [
      "x]fa-09\ufeff \u017fy\u00b2",
    ]]],
    ["\\A.|.\\z", [["i", "t's aabc K9 \u212a1234", "5"], ["a", "bc ab \u6f22\u5b57kana\nb\u0085b\n", " "], [
      "x",
      "]fa-09\ufeff \u017fy",
      "\u00b2",
    ]]],
    ["[]x]", [["it's aabc K9 \u212a12345"], ["abc ab \u6f22\u5b57kana\nb\u0085b\n "], [
      "x",
      "]",
      "fa-09\ufeff \u017fy\u00b2",
    ]]],
    ["a{,2}b", [["it's ", "aab", "c K9 \u212a12345"], [
      "ab",
      "c ",
      "ab",
      " \u6f22\u5b57kana\n",
      "b",
      "\u0085",
      "b",
      "\n ",
    ], ["x]fa-09\ufeff \u017fy\u00b2"]]],
    ["\\p{Han}+", [["it's aabc K9 \u212a12345"], ["abc ab ", "\u6f22\u5b57", "kana\nb\u0085b\n "], [
      "x]fa-09\ufeff \u017fy\u00b2",
    ]]],
  ]
  const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false })
  for (const [regex, expected] of cuts) assertEquals(hard.map((text) => pieces(split(regex), text)), expected, regex)
  for (const regex of ["(a)\\1", "\\K", "(?<=a", "[[:foo:]]", "(?x)a", "\\p{Nonsense}", "(?i:ss)", "a)", "*a", "[a"]) {
    const error = assertThrows(() => pieces(split(regex), "a"), DataError)
    assertStringIncludes(error.message, JSON.stringify(regex))
  }
})

const texts = [
  "\u039f\u0394\u039f\u03a3 \u0130z\u00a0Caf\u00e9",
  "  \tx\u200b\u6771\u4eac\u0007  ",
  "",
  "\ufb01ne e\u0301",
]

Deno.test("normalizers change a text as the reference does", () => {
  const changes: ReadonlyArray<readonly [unknown, ReadonlyArray<string>]> = [
    [{ "type": "Lowercase" }, [
      "\u03bf\u03b4\u03bf\u03c3 i\u0307z\u00a0caf\u00e9",
      "  \tx\u200b\u6771\u4eac\u0007  ",
      "",
      "\ufb01ne e\u0301",
    ]],
    [{ "type": "Nmt" }, [
      "\u039f\u0394\u039f\u03a3 \u0130z\u00a0Caf\u00e9",
      "   x \u6771\u4eac  ",
      "",
      "\ufb01ne e\u0301",
    ]],
    [{ "type": "Strip", "strip_left": true, "strip_right": false }, [
      "\u039f\u0394\u039f\u03a3 \u0130z\u00a0Caf\u00e9",
      "x\u200b\u6771\u4eac\u0007  ",
      "",
      "\ufb01ne e\u0301",
    ]],
    [{ "type": "Prepend", "prepend": "\u2581" }, [
      "\u2581\u039f\u0394\u039f\u03a3 \u0130z\u00a0Caf\u00e9",
      "\u2581  \tx\u200b\u6771\u4eac\u0007  ",
      "",
      "\u2581\ufb01ne e\u0301",
    ]],
    [{ "type": "Replace", "pattern": { "Regex": "a*" }, "content": "-" }, [
      "-\u039f-\u0394-\u039f-\u03a3- -\u0130-z-\u00a0-C-f-\u00e9-",
      "- - -\t-x-\u200b-\u6771-\u4eac-\u0007- - -",
      "",
      "-\ufb01-n-e- -e-\u0301-",
    ]],
    [{ "type": "StripAccents" }, [
      "\u039f\u0394\u039f\u03a3 \u0130z\u00a0Caf\u00e9",
      "  \tx\u200b\u6771\u4eac\u0007  ",
      "",
      "\ufb01ne e",
    ]],
    [{ "type": "ByteLevel" }, [
      "\u00ce\u0141\u00ce\u0136\u00ce\u0141\u00ce\u00a3\u0120\u00c4\u00b0z\u00c2\u0142Caf\u00c3\u00a9",
      "\u0120\u0120\u0109x\u00e2\u0122\u012d\u00e6\u013f\u00b1\u00e4\u00ba\u00ac\u0107\u0120\u0120",
      "",
      "\u00ef\u00ac\u0123ne\u0120e\u00cc\u0123",
    ]],
    [{
      "type": "BertNormalizer",
      "clean_text": true,
      "handle_chinese_chars": true,
      "strip_accents": null,
      "lowercase": true,
    }, ["\u03bf\u03b4\u03bf\u03c3 iz cafe", "   x \u6771  \u4eac   ", "", "\ufb01ne e"]],
    [{
      "type": "BertNormalizer",
      "clean_text": false,
      "handle_chinese_chars": false,
      "strip_accents": true,
      "lowercase": false,
    }, ["\u039f\u0394\u039f\u03a3 Iz\u00a0Cafe", "  \tx\u200b\u6771\u4eac\u0007  ", "", "\ufb01ne e"]],
    [{ "type": "NFKC" }, [
      "\u039f\u0394\u039f\u03a3 \u0130z Caf\u00e9",
      "  \tx\u200b\u6771\u4eac\u0007  ",
      "",
      "fine \u00e9",
    ]],
  ]
  for (const [part, expected] of changes) {
    const normalize = readNormalizer(new Fields(part, "part", []))
    assertEquals(texts.map(normalize), expected, JSON.stringify(part))
  }
})

Deno.test("models give the reference's ids", () => {
  const models: ReadonlyArray<readonly [string, unknown, ReadonlyArray<string>, ReadonlyArray<ReadonlyArray<number>>]> =
    [
      [
        "bpe, prefix and suffix",
        {
          "type": "BPE",
          "vocab": { "?": 0, "a": 1, "b": 2, "##a": 3, "##b": 4, "ab": 5, "##b</w>": 6, "ab</w>": 7, "b</w>": 8 },
          "merges": ["a ##b", "a ##b</w>"],
          "continuing_subword_prefix": "##",
          "end_of_word_suffix": "</w>",
          "unk_token": "?",
        },
        ["ab aba b", "bab x"],
        [[7, 5, 0, 8], [2, 3, 6, 0]],
      ],
      [
        "bpe, fuse_unk within a word alone",
        { "type": "BPE", "vocab": { "?": 0, "a": 1, "b": 2 }, "merges": [], "unk_token": "?", "fuse_unk": true },
        ["axyb xy zz", "xx"],
        [[1, 0, 2, 0, 0], [0]],
      ],
      [
        "bpe, byte_fallback",
        {
          "type": "BPE",
          "vocab": { ...Object.fromEntries(bytes.map((token, id) => [token, id])), ...{ "?": 256, "a": 257 } },
          "merges": [],
          "unk_token": "?",
          "byte_fallback": true,
          "fuse_unk": true,
        },
        ["a\u00e9", "\u6771a"],
        [[257, 195, 169], [230, 157, 177, 257]],
      ],
      [
        "bpe, bytes that are not all there",
        {
          "type": "BPE",
          "vocab": { "?": 0, "a": 1, "<0xC3>": 2, "<0xA9>": 3 },
          "merges": [],
          "unk_token": "?",
          "byte_fallback": true,
          "fuse_unk": false,
        },
        ["x\u00e9a", "x\u00e9", "\u00e9xx"],
        [[2, 3, 0, 1], [2, 3, 0], [2, 3, 0, 0]],
      ],
      [
        "bpe, ignore_merges",
        {
          "type": "BPE",
          "vocab": { "a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4 },
          "merges": [["a", "b"]],
          "ignore_merges": true,
        },
        ["abc ab abcb"],
        [[4, 3, 3, 2, 1]],
      ],
      [
        "unigram, byte_fallback",
        {
          "type": "Unigram",
          "unk_id": 0,
          "vocab": [
            ...[["?", 0.0], ["a", -1.0], ["b", -2.0], ["ab", -2.5], ["ba", -1.5]],
            ...bytes.map((token) => [token, -9]),
          ],
          "byte_fallback": true,
        },
        ["abab \u00e9", "a\u00e9b"],
        [[1, 4, 2, 200, 174], [1, 200, 174, 2]],
      ],
      [
        "unigram, unknown ones side by side",
        { "type": "Unigram", "unk_id": 0, "vocab": [["?", 0.0], ["a", -1.0], ["x", -30.0]] },
        ["a\u00e9\u00e8a xx ?", "x?"],
        [[1, 0, 1, 2, 2, 0], [2, 0]],
      ],
      [
        "words in pieces, long ones",
        {
          "type": "WordPiece",
          "vocab": { "?": 0, "a": 1, "##b": 2, "##bc": 3, "\u00e9": 4 },
          "unk_token": "?",
          "continuing_subword_prefix": "##",
          "max_input_chars_per_word": 4,
        },
        ["abbc abb abbbb \u00e9 \u00e9b \ud83d\ude00"],
        [[1, 2, 3, 1, 2, 2, 0, 4, 4, 2, 0]],
      ],
      ["whole words", { "type": "WordLevel", "vocab": { "the": 0, "?": 1, "tree": 2 }, "unk_token": "?" }, [
        "the tree x",
      ], [[0, 2, 1]]],
    ]
  for (const [name, model, given, expected] of models) assertEquals(given.map(encoder(file({ model }))), expected, name)
  // The reference leaves such a character out in silence.
  const without = encoder(file({ model: { type: "BPE", vocab: { a: 0 }, merges: [] } }))
  assertStringIncludes(assertThrows(() => without("ab"), DataError).message, 'no id for "b"')
})

Deno.test("long words merge as short ones do", () => {
  const vocab = Object.fromEntries(["a", "b", "ab", "aa", "aba", "abab"].map((token, id) => [token, id]))
  const merges = [["a", "b"], ["a", "a"], ["ab", "a"], ["ab", "ab"]]
  const encode = encoder(file({ model: { type: "BPE", vocab, merges } }))
  assertEquals(encode("abab"), [5])
  assertEquals(encode("abab".repeat(20)), Array(20).fill(5))
  assertEquals(encode(`${"a".repeat(41)}b`), [...Array(20).fill(3), 2])
})

Deno.test("added tokens stand where the reference finds them", () => {
  const files: ReadonlyArray<
    readonly [string, Readonly<Record<string, unknown>>, ReadonlyArray<string>, ReadonlyArray<ReadonlyArray<number>>]
  > = [
    [
      "whole words alone",
      {
        "added_tokens": [{
          "id": 3,
          "content": "tag",
          "single_word": true,
          "lstrip": false,
          "rstrip": false,
          "normalized": false,
          "special": false,
        }],
        "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "model": {
          "type": "WordLevel",
          "vocab": { "?": 0, "a": 1, "b": 2, "tag": 3, "\u2581a": 4, "\u2581b": 5 },
          "unk_token": "?",
        },
      },
      ["tag tagged atag, (tag)", "_tag tag\u00b2"],
      [[3, 0, 0, 0, 3, 0], [0, 3, 0]],
    ],
    [
      "white space before and after",
      {
        "added_tokens": [{
          "id": 6,
          "content": "<m>",
          "single_word": false,
          "lstrip": true,
          "rstrip": false,
          "normalized": false,
          "special": false,
        }, {
          "id": 7,
          "content": "<n>",
          "single_word": false,
          "lstrip": false,
          "rstrip": true,
          "normalized": false,
          "special": false,
        }],
        "normalizer": null,
        "pre_tokenizer": { "type": "Split", "pattern": { "String": " " }, "behavior": "Isolated", "invert": false },
        "model": {
          "type": "WordLevel",
          "vocab": { "?": 0, "a": 1, "b": 2, "tag": 3, "\u2581a": 4, "\u2581b": 5 },
          "unk_token": "?",
        },
      },
      ["a  <m> b", "a <n>  b<m>  <n> <m>"],
      [[1, 6, 0, 2], [1, 0, 7, 2, 6, 0, 0, 7, 6]],
    ],
    [
      "normalized or not",
      {
        "added_tokens": [{
          "id": 6,
          "content": "<M>",
          "single_word": false,
          "lstrip": false,
          "rstrip": false,
          "normalized": true,
          "special": false,
        }, {
          "id": 7,
          "content": "<N>",
          "single_word": false,
          "lstrip": false,
          "rstrip": false,
          "normalized": false,
          "special": false,
        }],
        "normalizer": { "type": "Lowercase" },
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "model": {
          "type": "WordLevel",
          "vocab": { "?": 0, "a": 1, "b": 2, "tag": 3, "\u2581a": 4, "\u2581b": 5 },
          "unk_token": "?",
        },
      },
      ["a <m> <M> <n> <N>"],
      [[1, 6, 6, 0, 7]],
    ],
    [
      "the longest first",
      {
        "added_tokens": [{
          "id": 6,
          "content": "<x>",
          "single_word": false,
          "lstrip": false,
          "rstrip": false,
          "normalized": false,
          "special": false,
        }, {
          "id": 7,
          "content": "<x><x>",
          "single_word": false,
          "lstrip": false,
          "rstrip": false,
          "normalized": false,
          "special": false,
        }, {
          "id": 8,
          "content": "x",
          "single_word": false,
          "lstrip": false,
          "rstrip": false,
          "normalized": false,
          "special": false,
        }],
        "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "model": {
          "type": "WordLevel",
          "vocab": { "?": 0, "a": 1, "b": 2, "tag": 3, "\u2581a": 4, "\u2581b": 5 },
          "unk_token": "?",
        },
      },
      ["<x><x><x> ax", "x>"],
      [[7, 6, 1, 8], [8, 0]],
    ],
    [
      "metaspace first",
      {
        "added_tokens": [{
          "id": 6,
          "content": "<x>",
          "single_word": false,
          "lstrip": false,
          "rstrip": false,
          "normalized": false,
          "special": false,
        }],
        "normalizer": null,
        "pre_tokenizer": { "type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": true },
        "model": {
          "type": "WordLevel",
          "vocab": { "?": 0, "a": 1, "b": 2, "tag": 3, "\u2581a": 4, "\u2581b": 5 },
          "unk_token": "?",
        },
      },
      ["a<x>a", "<x>a b", "a b"],
      [[4, 6, 1], [6, 1, 5], [4, 5]],
    ],
    [
      "ids are the vocabulary's or the next",
      {
        "added_tokens": [{
          "id": 9,
          "content": "<x>",
          "single_word": false,
          "lstrip": false,
          "rstrip": false,
          "normalized": false,
          "special": false,
        }, {
          "id": 0,
          "content": "a",
          "single_word": false,
          "lstrip": false,
          "rstrip": false,
          "normalized": false,
          "special": false,
        }, {
          "id": 6,
          "content": "<y>",
          "single_word": false,
          "lstrip": false,
          "rstrip": false,
          "normalized": false,
          "special": false,
        }],
        "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "model": {
          "type": "WordLevel",
          "vocab": { "?": 0, "a": 1, "b": 2, "tag": 3, "\u2581a": 4, "\u2581b": 5 },
          "unk_token": "?",
        },
      },
      ["<x> a <y>"],
      [[6, 1, 7]],
    ],
  ]
  for (const [name, parts, given, expected] of files) assertEquals(given.map(encoder(file(parts))), expected, name)
  const notes: Array<string> = []
  encoder(file(files[files.length - 1][1]), notes)
  assertStringIncludes(notes.join("\n"), 'added_tokens[0]: "<x>" has the id 6, not 9 as written there')
})

Deno.test("parts with unknown types, missing fields or fields of another type are errors that name them", () => {
  const model = { type: "WordLevel", vocab: { a: 0 }, unk_token: "a" }
  const cases: ReadonlyArray<readonly [unknown, string]> = [
    [file({ model: { ...model, type: "Morse" } }), 'type "Morse"'],
    [file({ model: { type: "WordLevel", vocab: { a: 0 } } }), '"unk_token" is missing'],
    [file({ model: { type: "BPE", vocab: { a: 0 }, merges: [["a", "b"]] } }), '"ab"'],
    [file({ model: { type: "BPE", vocab: { a: 0 }, merges: [], dropout: 0.1 } }), "dropout"],
    [file({ model: { type: "BPE", vocab: { a: 0 }, merges: ["a b c"] } }), '"a b c"'],
    [file({ model: { type: "Unigram", vocab: [["a", 0]], unk_id: 1 } }), "unk_id"],
    [file({ model, pre_tokenizer: { type: "UnicodeScripts" } }), 'type "UnicodeScripts"'],
    [
      file({ model, pre_tokenizer: { type: "Split", pattern: { String: "a" }, behavior: "isolated", invert: false } }),
      '"isolated"',
    ],
    [
      file({ model, pre_tokenizer: { type: "Split", pattern: { String: "a" }, behavior: "Isolated" } }),
      '"invert" is missing',
    ],
    [file({ model, pre_tokenizer: { type: "ByteLevel", add_prefix_space: false } }), '"trim_offsets" is missing'],
    [file({ model, normalizer: { type: "Strip", strip_left: true } }), '"strip_right" is missing'],
    [file({ model, normalizer: { type: "Precompiled", precompiled_charsmap: "AAAA" } }), "precompiled_charsmap"],
    [file({ model, normalizer: { type: "BertNormalizer", clean_text: 1 } }), '"clean_text" should be true or false'],
    [
      file({ model, post_processor: { type: "TemplateProcessing", single: [], pair: [], special_tokens: {} } }),
      "single",
    ],
    [file({ model, decoder: { type: "WordPiece", prefix: "##" } }), '"cleanup" is missing'],
    [file({ model, version: "2.0" }), '"2.0"'],
    [file({ model, added_tokens: [{ content: "a" }] }), 'added_tokens[0]: field "id" is missing'],
  ]
  for (const [json, part] of cases) {
    const error = assertThrows(() => encoder(json), DataError)
    assertEquals(error.reason, "Tokenizer")
    assertStringIncludes(error.message, part)
  }
  const notes: Array<string> = []
  const normalizer = { type: "Lowercase", locale: "tr" }
  encoder({ ...file({ model, normalizer, color: 1 }), decoder: undefined }, notes)
  const told = notes.join("\n")
  for (const part of ["tokenizer.json: normalizer", '"locale"', '"color"', '"decoder" is missing']) {
    assertStringIncludes(told, part)
  }
})

// A table of seven rules, made by SentencePiece 0.2.3.
// deno-fmt-ignore
const table =
  "AAQAAAAgAAAJDQAAAQAAgMwYAgCBBQAAAwAAgK0FAAAAAACAiTUAAKwIAgCBBQAABQAAgJ9AAgCRqAIAqYwDAOJ8AgCAPAIA8HQCAI3MAwCfTA" +
  "IAlLQCAKwNAAAIAACAFgAAABkAAAAYAAAAGwAAABoAAAAdAAAAHAAAAB8AAAAeAAAAIQAAACAAAAAjAAAAIgAAACUAAAAkAAAAJwAAACYAAACp" +
  "tQAAKAAAACsAAAAqAAAALQAAACwAAAAvAAAALgAAADEAAAAwAAAAMwAAADIAAAA1AAAANAAAADcAAAA2AAAAOQAAADgAAAA7AAAAOgAAAD0AAA" +
  "A8AAAAPwAAAD4AAABBAAAAQAAAAEMAAABCAAAARQAAAEQAAABHAAAARgAAAEkAAABIAAAASwAAAEoAAABNAAAATAAAAE8AAABOAAAAUQAAAFAA" +
  "AABTAAAAUgAAAFUAAABUAAAAVwAAAFYAAABZAAAAWAAAAFsAAABaAAAAXQAAAFwAAABfAAAAXgAAAGEAAABgAAAAYwAAAGIAAABlAAAAZAAAAG" +
  "cAAABmAAAAaQAAAGgAAABrAAAAagAAAG0AAABliAIAbwAAAG4AAABxAAAAcAAAAHMAAAByAAAAdQAAAHQAAAB3AAAAdgAAAHkAAAB4AAAAewAA" +
  "AHoAAAB9AAAAfAAAAH8AAAB+AAAAgQAAAIAAAACDAAAAggAAAIUAAACEAAAAhwAAAIYAAACJAAAAiAAAAIsAAACKAAAAjQAAAIwAAACPAAAAjg" +
  "AAAJEAAACQAAAAkwAAAJIAAACVAAAAlAAAAJcAAACWAAAAmQAAAJgAAACbAAAAmgAAAJ0AAACcAAAAnwAAAJ4AAAChAAAAoAAAAKMAAACiAAAA" +
  "pQAAAKQAAACnAAAApgAAAKkAAACoAAAAqwAAAKoAAACtAAAArAAAAK8AAACuAAAAsQAAALAAAACzAAAAsgAAALUAAAC0AAAAtwAAALYAAAC5AA" +
  "AAuAAAALsAAAC6AAAAvQAAALwAAAC/AAAAvgAAAMEAAADAAAAAwwAAAMIAAADFAAAAxAAAAMcAAADGAAAAyQAAAMgAAADChAEAwygBAM0AAADM" +
  "AAAAzwAAAM4AAADRAAAA0AAAANMAAADSAAAA1QAAANQAAADXAAAA1gAAANkAAADYAAAA2wAAANoAAADdAAAA3AAAAN8AAADeAAAA4QAAAOAAAA" +
  "DjAAAA4gAAAOUAAADkAAAA5wAAAO8IAQDpAAAA6AAAAOsAAADqAAAA7QAAAOwAAADvAAAA7gAAAPEAAADwAAAA8wAAAPIAAAD1AAAA9AAAAPcA" +
  "AAD2AAAA8KwBAPgAAAD7AAAA+gAAAP0AAAD8AAAA/wAAAP4AAAAAIABlAGZpAHcA"

Deno.test("a precompiled table replaces as the reference does", () => {
  const normalize = readNormalizer(new Fields({ type: "Precompiled", precompiled_charsmap: table }, "part", []))
  const given = ["\ufb01ne \u00c9clair\t\u00e9 e\u0301", "\ud83d\udc69\u200d\ud83d\udd2c x\u00ady", "plain", "\r\n\t"]
  assertEquals(given.map(normalize), ["fine eclair e e", "\ud83d\udc69\u200d\ud83d\udd2c xy", "plain", "\r\n "])
})
