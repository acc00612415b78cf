"""Loads exported folders with peft and transformers and compares their logits with ours.

A developer's tool, not part of the tests: `python check_export.py --expect FILE --model DIR --adapter DIR
--merged DIR`. FILE is safetensors with `input_ids` (T), `token_type_ids` (T), `offsets` (B + 1) and `logits` (B, N).
`--adapter` needs `--model`, the base (for an adapter of a pruned base, the pruned one). One line per check; exit
code 1 if any differs by more than 1e-4 or does not load.
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
from transformers import AutoModelForSequenceClassification

TOLERANCE = 1e-4


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expect", type=Path, required=True)
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
    sys.exit(0 if all(results) else 1)


def loaders(arguments, n_labels):
    """Name and loading function of every check that the given folders allow."""
    found = []
    if arguments.adapter:
        model, adapter = arguments.model, arguments.adapter
        found = [
            ("PeftModel.from_pretrained", lambda: load_peft(model, adapter, n_labels)),
            ("AutoModel.from_pretrained(adapter)", lambda: load_through_transformers(model, adapter, n_labels)),
            ("merge_and_unload", lambda: load_peft(model, adapter, n_labels).merge_and_unload()),
        ]
    if arguments.merged:
        found.append(("AutoModel.from_pretrained(merged)", lambda: load_merged(arguments.merged)))
    return found


def load_base(model, n_labels):
    # A base without a head, or with a head of another size, gets a fresh one that the adapter then replaces.
    return AutoModelForSequenceClassification.from_pretrained(
        model, num_labels=n_labels, ignore_mismatched_sizes=True, dtype=torch.float32
    )


def load_peft(model, adapter, n_labels):
    return PeftModel.from_pretrained(load_base(model, n_labels), adapter)


def load_through_transformers(model, adapter, n_labels):
    """transformers finds the base through `base_model_name_or_path`, which in a copy names the local folder."""
    with tempfile.TemporaryDirectory() as copy:
        folder = Path(copy) / "adapter"
        shutil.copytree(adapter, folder)
        config = json.loads((folder / "adapter_config.json").read_text())
        config["base_model_name_or_path"] = str(model.resolve())
        (folder / "adapter_config.json").write_text(json.dumps(config))
        return load_base(folder, n_labels)


def load_merged(merged):
    model, report = AutoModelForSequenceClassification.from_pretrained(merged, output_loading_info=True)
    problems = {kind: sorted(map(str, names)) for kind, names in report.items() if names}
    if problems:
        raise ValueError(f"merged model does not load cleanly: {problems}")
    return model


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
    rows = []
    for start, end in zip(bounds, bounds[1:]):
        ids = expected["input_ids"][start:end].long()[None]
        types = expected["token_type_ids"][start:end].long()[None]
        rows.append(model(input_ids=ids, token_type_ids=types).logits[0].float())
    return torch.stack(rows)


if __name__ == "__main__":
    main()
