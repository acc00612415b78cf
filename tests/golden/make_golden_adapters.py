"""Regenerates the adapters that peft writes for RoBERTa and GPT-2: `python make_golden_adapters.py --out DIR`, where DIR
holds the tiny models already. Factors go by this project's sites: query, key and value of GPT-2 stand alone, and peft
holds them as one module, with their ranks side by side.
"""

import argparse
from pathlib import Path

import make_golden as base
import make_golden_families as families
import peft
import torch
from make_golden import ALPHA, RANK
from transformers import GPT2ForSequenceClassification, GPT2LMHeadModel, RobertaForSequenceClassification

HIDDEN = 32
# Query, key and value of GPT-2 by the block of `c_attn` they are.
BLOCKS = {"query": 0, "key": 1, "value": 2}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    encoder = [f"roberta.encoder.layer.{layer}.attention.self.{{}}" for layer in (0, 1)]
    decoder = [f"transformer.h.{layer}.attn.c_attn.{{}}" for layer in (0, 1)]
    write_adapter(out, "roberta", RobertaForSequenceClassification, "tiny_roberta", encoder, ("query", "value"))
    write_adapter(out, "gpt2", GPT2LMHeadModel, "tiny_gpt2", decoder, ("query", "value"))
    write_adapter(out, "gpt2_classes", GPT2ForSequenceClassification, "tiny_gpt2_classes", decoder, ("query", "key"))


def write_adapter(out, name, kind, folder, paths, leaves):
    model = families.load(kind, out, folder)
    is_decoder = "gpt2" in name
    is_classifier = kind is not GPT2LMHeadModel
    n_joined = len(leaves) if is_decoder else 1
    config = peft.LoraConfig(
        task_type="SEQ_CLS" if is_classifier else "CAUSAL_LM",
        r=RANK * n_joined,
        lora_alpha=int(ALPHA) * n_joined,
        lora_dropout=0.0,
        target_modules=["c_attn"] if is_decoder else list(leaves),
        fan_in_fan_out=is_decoder,
    )
    adapted = peft.get_peft_model(model, config).eval()
    generator = torch.Generator().manual_seed(8)
    sites = {path.format(leaf): factors(generator) for path in paths for leaf in leaves}
    with torch.no_grad():
        put = put_joined if is_decoder else put_alone
        put(adapted.base_model.model, sites)
        for parameter_name, parameter in adapted.named_parameters():
            if "modules_to_save" in parameter_name:
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    target = out / f"peft_{name}"
    adapted.save_pretrained(target)
    (target / "README.md").unlink()
    base.sort_adapter_config(target / "adapter_config.json", folder)
    batch = families.plain_batch(segments=not is_decoder)
    logits = adapted(**batch.padded).logits.detach()
    if not is_classifier:
        logits = logits[batch.padded["attention_mask"].bool()].clone()
    values = {f"init.{path}.{key}": value for path, site in sites.items() for key, value in site.items()}
    base.write_tensors(target / "logits.safetensors", batch.packed | {"logits": logits} | values)


def factors(generator):
    return {
        "a": 0.1 * torch.randn(RANK, HIDDEN, generator=generator),
        "b": 0.05 * torch.randn(HIDDEN, RANK, generator=generator),
    }


def put_alone(model, sites):
    for path, site in sites.items():
        module = model.get_submodule(path)
        module.lora_A["default"].weight.copy_(site["a"])
        module.lora_B["default"].weight.copy_(site["b"])


def put_joined(model, sites):
    ranks = {}
    for path, site in sites.items():
        parent, _, leaf = path.rpartition(".")
        module = model.get_submodule(parent)
        if parent not in ranks:
            module.lora_B["default"].weight.zero_()
        rank = ranks.get(parent, 0)
        rows = slice(BLOCKS[leaf] * HIDDEN, (BLOCKS[leaf] + 1) * HIDDEN)
        module.lora_A["default"].weight[rank : rank + RANK] = site["a"]
        module.lora_B["default"].weight[rows, rank : rank + RANK] = site["b"]
        ranks[parent] = rank + RANK


if __name__ == "__main__":
    main()
