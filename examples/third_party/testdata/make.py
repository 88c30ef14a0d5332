"""Makes the files of this folder: tiny models with new weights, and IA3s that PEFT saved for them with its logits.

    pip install torch==2.8.0 transformers==4.57.6 peft==0.21.0 safetensors
    python make.py
"""

import json
import os
import shutil

import torch
from peft import IA3Config, TaskType, get_peft_model
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
)

HERE = os.path.dirname(os.path.abspath(__file__))
TOKENS = [[3, 7, 1, 12, 5, 9], [8, 2, 2, 15, 4, 11]]


def save(name, model, task):
    folder = os.path.join(HERE, name)
    shutil.rmtree(folder, ignore_errors=True)
    model.eval()
    model.save_pretrained(os.path.join(folder, "model"))
    torch.manual_seed(2)
    tuned = get_peft_model(model, IA3Config(task_type=task, init_ia3_weights=False)).eval()
    tuned.peft_config["default"].base_model_name_or_path = None
    with torch.no_grad():
        logits = tuned(torch.tensor(TOKENS)).logits
    tuned.save_pretrained(os.path.join(folder, "peft"))
    os.remove(os.path.join(folder, "peft", "README.md"))
    for name in os.listdir(os.path.join(folder, "model")):
        if name == "generation_config.json":
            os.remove(os.path.join(folder, "model", name))
    with open(os.path.join(folder, "logits.json"), "w") as file:
        json.dump({"tokens": TOKENS, "shape": list(logits.shape), "logits": logits.flatten().tolist()}, file)
        file.write("\n")


torch.manual_seed(1)
save(
    "llama",
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=20, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=16, initializer_range=0.3, tie_word_embeddings=True,
        )
    ),
    TaskType.CAUSAL_LM,
)
save(
    "bert",
    BertForSequenceClassification(
        BertConfig(
            vocab_size=20, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=16, initializer_range=0.3, num_labels=2, type_vocab_size=1,
        )
    ),
    TaskType.SEQ_CLS,
)
