"""Regenerates the prefixes that peft writes for all families: `python make_golden_prefixes.py --out DIR`, where DIR holds
the tiny models already. Prefixes go by this project's sites; peft holds those of all layers as one table.
"""

import argparse
from pathlib import Path

import make_golden as base
import make_golden_families as families
import peft
import torch
from transformers import (
    BertForSequenceClassification,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    RobertaForSequenceClassification,
)

HIDDEN, N_PREFIX = 32, 3
# Model, and the place of its keys and values.
CASES = {
    "bert": (BertForSequenceClassification, "tiny_bert", "bert.encoder.layer.{}.attention.self.{}"),
    "roberta": (RobertaForSequenceClassification, "tiny_roberta", "roberta.encoder.layer.{}.attention.self.{}"),
    "gpt2": (GPT2LMHeadModel, "tiny_gpt2", "transformer.h.{}.attn.c_attn.{}"),
    "gpt2_classes": (GPT2ForSequenceClassification, "tiny_gpt2_classes", "transformer.h.{}.attn.c_attn.{}"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for seed, (name, case) in enumerate(CASES.items()):
        write_prefix(out, name, *case, seed=31 + seed)


def write_prefix(out, name, kind, folder, path, seed):
    model = families.load(kind, out, folder)
    task = "CAUSAL_LM" if kind is GPT2LMHeadModel else "SEQ_CLS"
    config = peft.PrefixTuningConfig(task_type=task, num_virtual_tokens=N_PREFIX)
    adapted = peft.get_peft_model(model, config).eval()
    generator = torch.Generator().manual_seed(seed)
    places = [(layer, leaf) for layer in (0, 1) for leaf in ("key", "value")]
    rows = {place: torch.randn(N_PREFIX, HIDDEN, generator=generator) for place in places}
    with torch.no_grad():
        adapted.prompt_encoder["default"].embedding.weight.copy_(torch.cat(list(rows.values()), dim=1))
        for parameter_name, parameter in adapted.named_parameters():
            if "modules_to_save" in parameter_name:
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    target = out / f"peft_prefix_{name}"
    adapted.save_pretrained(target)
    (target / "README.md").unlink()
    base.sort_adapter_config(target / "adapter_config.json", folder)
    values = {f"init.{path.format(*place)}.prefix": value for place, value in rows.items()}
    base.write_tensors(target / "init.safetensors", values)


if __name__ == "__main__":
    main()
