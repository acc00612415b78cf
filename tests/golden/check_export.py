"""Loads exported folders with peft and transformers and compares their logits with ours.

A developer's tool, not part of the tests: `python check_export.py --expect FILE --head classes --model DIR
--adapter DIR --merged DIR`. FILE is safetensors with `input_ids` (T), `token_type_ids` (T), `offsets` (B + 1) and `logits`:
(B, N) of classes; of words (T, V), or (P, V) at the packed `mlm_positions` (P). `--adapter` needs `--model`, the base
(for an adapter of a pruned base, the pruned one). Sequences are run one by one, and all classes once more as one padded
batch. One line per check; exit code 1 if any differs by more than 1e-4 or does not load.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

TOLERANCE = 1e-4
CLASSES = {
    "classes": AutoModelForSequenceClassification,
    "masked": AutoModelForMaskedLM,
    "causal": AutoModelForCausalLM,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expect", type=Path, required=True)
    parser.add_argument("--head", choices=list(CLASSES), default="classes")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--merged", type=Path)
    arguments = parser.parse_args()
    if arguments.adapter and not arguments.model:
        parser.error("--adapter needs --model, the base model's folder")
    if not arguments.adapter and not arguments.merged:
        parser.error("nothing to check: give --adapter, --merged or both")
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    expected = load_file(arguments.expect)
    results = [check(name, loader, expected) for name, loader in loaders(arguments, expected["logits"].shape[1])]
    folders = [folder for folder in (arguments.adapter, arguments.merged) if folder and (folder / "tokenizer.json").exists()]
    results += [check_tokenizer(folder) for folder in folders]
    sys.exit(0 if all(results) else 1)


def loaders(arguments, n_labels):
    """Name and loading function of every check that the given folders allow."""
    kind, settings, found = CLASSES[arguments.head], {}, []
    if arguments.head == "classes":
        settings["num_labels"] = n_labels
    if arguments.adapter:
        model, adapter = arguments.model, arguments.adapter
        found = [("PeftModel.from_pretrained", lambda: load_peft(kind, model, adapter, settings))]
    # A prefix is no part of the weights, and transformers alone does not read it.
    if arguments.adapter and json.loads((adapter / "adapter_config.json").read_text())["peft_type"] == "LORA":
        found += [
            ("AutoModel.from_pretrained(adapter)", lambda: load_through_transformers(kind, model, adapter, settings)),
            ("merge_and_unload", lambda: load_peft(kind, model, adapter, settings).merge_and_unload()),
        ]
    if arguments.merged:
        found.append(("AutoModel.from_pretrained(merged)", lambda: load_merged(kind, arguments.merged)))
    return found


def load_base(kind, model, settings):
    # A base without a head, or with a head of another size, gets a fresh one that the adapter then replaces.
    return kind.from_pretrained(model, ignore_mismatched_sizes=True, dtype=torch.float32, **settings)


def load_peft(kind, model, adapter, settings):
    return PeftModel.from_pretrained(load_base(kind, model, settings), adapter)


def load_through_transformers(kind, model, adapter, settings):
    """transformers finds the base through `base_model_name_or_path`, which in a copy names the local folder."""
    with tempfile.TemporaryDirectory() as copy:
        folder = Path(copy) / "adapter"
        shutil.copytree(adapter, folder)
        config = json.loads((folder / "adapter_config.json").read_text())
        config["base_model_name_or_path"] = str(model.resolve())
        (folder / "adapter_config.json").write_text(json.dumps(config))
        return load_base(kind, folder, settings)


def load_merged(kind, merged):
    model, report = kind.from_pretrained(merged, output_loading_info=True)
    problems = {name: sorted(map(str, names)) for name, names in report.items() if names}
    if problems:
        raise ValueError(f"merged model does not load cleanly: {problems}")
    return model


def check_tokenizer(folder):
    try:
        tokens = AutoTokenizer.from_pretrained(folder)(["a", "a b c"], padding=True)
        passed = len({len(row) for row in tokens["input_ids"]}) == 1
        print(f"{'ok    ' if passed else 'DIFFERS'}  AutoTokenizer.from_pretrained({folder.name}): {sorted(tokens)}")
    except Exception as error:
        print(f"FAILED  AutoTokenizer.from_pretrained({folder.name}): {type(error).__name__}: {error}")
        return False
    return passed


def check(name, loader, expected):
    try:
        difference = (logits(loader().eval(), expected) - expected["logits"]).abs().max().item()
    # Whatever a library raises is a failed check; the remaining checks still run.
    except Exception as error:
        print(f"FAILED  {name}: {type(error).__name__}: {error}")
        return False
    # Written so that a NaN fails too.
    passed = difference <= TOLERANCE
    print(f"{'ok    ' if passed else 'DIFFERS'}  {name}: largest difference {difference:.2e}")
    return passed


@torch.no_grad()
def logits(model, expected):
    bounds = expected["offsets"].tolist()
    rows = [run(model, expected, start, end) for start, end in zip(bounds, bounds[1:])]
    if rows[0].dim() == 1:
        return one_batch(model, expected, bounds, torch.stack(rows))
    words = torch.cat(rows)
    return words[expected["mlm_positions"].long()] if "mlm_positions" in expected else words


def run(model, expected, start, end):
    ids = {"input_ids": expected["input_ids"][start:end].long()[None]}
    # A decoder would look segments up among its words.
    if getattr(model.config, "type_vocab_size", 0) > 1:
        ids["token_type_ids"] = expected["token_type_ids"][start:end].long()[None]
    return model(**ids).logits[0].float()


def one_batch(model, expected, bounds, alone):
    """The same classes from one padded batch, which needs a padding token."""
    pad = model.config.pad_token_id
    texts = [expected["input_ids"][start:end].long() for start, end in zip(bounds, bounds[1:])]
    ids = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=pad)
    lengths = torch.tensor([len(text) for text in texts])
    mask = (torch.arange(ids.shape[1])[None] < lengths[:, None]).long()
    types = [expected["token_type_ids"][start:end].long() for start, end in zip(bounds, bounds[1:])]
    inputs = {"input_ids": ids, "attention_mask": mask}
    if getattr(model.config, "type_vocab_size", 0) > 1:
        inputs["token_type_ids"] = torch.nn.utils.rnn.pad_sequence(types, batch_first=True)
    together = model(**inputs).logits.float()
    if (together - alone).abs().max().item() > TOLERANCE:
        raise ValueError("a padded batch gives other classes than its texts alone")
    return alone


if __name__ == "__main__":
    main()
