"""Regenerates the logits that transformers and peft compute from folders that we exported: `python make_golden_exports.py
--exports DIR --out DIR`, once with version 5 of transformers and once with version 4 (transformers==4.57.6, peft==0.18.1).
Before it, `cargo test -p dsee-tests --test exports` leaves the folders in `target/tmp/exports`.
"""

import argparse
import warnings
from pathlib import Path

import check_export as check
import make_golden as base
import torch
import transformers
from safetensors.torch import load_file

# There, peft hands RoBERTa's classifier the cache instead of the hidden states, whoever wrote the prefix.
NOT_LOADED = {("4", "roberta-prefix")}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exports", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    tensors = {}
    major = transformers.__version__.split(".")[0]
    for folder in sorted(arguments.exports.iterdir()):
        if (major, folder.name) not in NOT_LOADED:
            tensors |= case(folder, arguments.out)
    base.write_tensors(arguments.out / f"exports_v{major}.safetensors", tensors)


def case(folder, models):
    """Logits of one exported model in every form that was written; its own are printed beside them."""
    family = folder.name.split("-")[0]
    batch = load_file(folder / "batch.safetensors")
    kind = check.CLASSES["causal" if family == "gpt2" else "classes"]
    settings = {} if family == "gpt2" else {"num_labels": 3}
    pruned = folder / "adapter" / "base"
    model = pruned if pruned.exists() else models / f"tiny_{family}"
    loaders = {}
    if (folder / "adapter").exists():
        loaders["adapter"] = lambda: check.load_peft(kind, model, folder / "adapter", settings)
    if (folder / "merged").exists():
        loaders["merged"] = lambda: check.load_merged(kind, folder / "merged")
    found = {f"{folder.name}.{form}": check.logits(load().eval(), batch) for form, load in loaders.items()}
    for name, logits in found.items():
        print(f"{name}: largest difference {(logits - batch['logits']).abs().max().item():.2e}")
    return found


if __name__ == "__main__":
    main()
