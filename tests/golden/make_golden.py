"""Regenerates every golden file of this folder from PyTorch, transformers, peft, tokenizers, scikit-learn and SciPy.

A developer's tool: the tests only read the files. Run `python make_golden.py --out DIR`, or with `--drift` to
print how far float32 differs from float64 on the same computation, which is what tolerances are chosen from.
README.md lists every key.
"""

import argparse
import json
import math
import os
import struct
import warnings
from importlib.metadata import version
from pathlib import Path

# Everything is made here; without this, peft looks for the base model on the network.
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import peft
import scipy.stats
import sklearn.metrics
import tokenizers
import torch
import torch.nn.utils.prune
import transformers
from safetensors import safe_open
from safetensors.torch import save
from torch.nn import functional as F
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification

PACKAGES = ("torch", "transformers", "peft", "tokenizers", "safetensors", "numpy", "scikit-learn", "scipy")
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
N_VOCAB = 120
# Lengths of the five sequences, and where the second segment of a pair starts (None: one segment).
LENGTHS = [7, 12, 3, 20, 2]
SECOND_SEGMENT = [None, 6, None, 9, None]
LABELS = [2, 0, 1, 1, 0]
SCORES = [0.5, -1.25, 3.0, 2.0, 0.0]
RANK, ALPHA, N_SPARSE = 4, 32.0, 5
SCALE = ALPHA / RANK
N_STEPS = 10
MASKED_SHARE = 0.3
REMOVED_HEADS = {0: [1], 1: [0, 3]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--drift", action="store_true", help="also print float32 against float64")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    arguments.out.mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_tokenizer()
    write_models(arguments.out, tokenizer)
    write_training(arguments.out, arguments.drift)
    write_peft(arguments.out)
    write_json(arguments.out / "tokenizer_ids.json", tokenizer_ids(tokenizer))
    write_json(arguments.out / "metrics.json", metrics())


# ---------------------------------------------------------------------------------------------- models


def write_models(out, tokenizer):
    for folder, kind, seed in (
        ("tiny_bert", BertForSequenceClassification, 1),
        ("tiny_bert_mlm", BertForMaskedLM, 2),
    ):
        model = kind(tiny_config())
        randomise(model, seed)
        model.save_pretrained(out / folder)
        tokenizer.save(str(out / folder / "tokenizer.json"))


def tiny_config():
    # No dropout, because the random streams of two programs cannot agree.
    return BertConfig(
        vocab_size=N_VOCAB, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=40, type_vocab_size=2, num_labels=3, hidden_act="gelu",
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, problem_type="single_label_classification",
    )  # fmt: skip


def randomise(model, seed):
    """Every parameter N(0, 0.2²), LayerNorm weights around 1: gradients are large and no term vanishes by chance."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
            if name.endswith("LayerNorm.weight"):
                parameter.add_(1.0)


def load(kind, folder, dtype, **settings):
    return kind.from_pretrained(folder, attn_implementation="eager", dtype=dtype, **settings).train()


# ----------------------------------------------------------------------------------------------- batch


class Batch:
    """The fixed five sequences: `packed` is what the files hold, `padded` is what transformers is given."""

    def __init__(self):
        rng = np.random.default_rng(3)
        offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
        ids = rng.integers(len(SPECIALS), N_VOCAB, offsets[-1])
        types = np.zeros_like(ids)
        for start, length, second in zip(offsets, LENGTHS, SECOND_SEGMENT):
            ids[start] = SPECIALS.index("[CLS]")
            ids[start + length - 1] = SPECIALS.index("[SEP]")
            if second is not None:
                ids[start + second - 1] = SPECIALS.index("[SEP]")
                types[start + second : start + length] = 1
        self.packed = {
            "input_ids": torch.tensor(ids, dtype=torch.int32),
            "token_type_ids": torch.tensor(types, dtype=torch.int32),
            "offsets": torch.tensor(offsets, dtype=torch.int32),
        }
        self.padded = {name: self.pad(self.packed[name]) for name in ("input_ids", "token_type_ids")}
        self.padded["attention_mask"] = self.pad(torch.ones(len(ids)))

    def pad(self, packed, fill=0):
        rows = torch.split(packed.long(), LENGTHS)
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=fill)


# -------------------------------------------------------------------------------------- trained update


class DeltaLinear(torch.nn.Module):
    """`y = x Wᵀ + bias + scale · (B A x + S x)` with S free only at `indices` (flat, out · d_in + in)."""

    def __init__(self, linear, values):
        super().__init__()
        self.linear = linear
        self.register_buffer("indices", values["s_indices"].long())
        for name in ("a", "b", "s_values"):
            self.register_parameter(name, torch.nn.Parameter(values[name].to(linear.weight.dtype, copy=True)))

    def forward(self, x):
        weight = self.linear.weight
        sparse = torch.zeros(weight.numel(), dtype=weight.dtype).index_put((self.indices,), self.s_values)
        update = F.linear(F.linear(x, self.a), self.b) + F.linear(x, sparse.view_as(weight))
        return self.linear(x) + SCALE * update


def delta_values(n_sparse):
    """Initial A, B and S of query and value in both layers, none of them zero, so that every gradient is exercised."""
    generator = torch.Generator().manual_seed(4)
    values = {}
    for number, path in enumerate(delta_paths()):
        # Two entries share a row and two share a column; every removed head owns at least one entry of its layer.
        rows = [(row + 3 * number) % 32 for row in (1, 9, 9, 22, 30)]
        columns = [(column + 5 * number) % 32 for column in (3, 17, 29, 17, 8)]
        indices = sorted(32 * row + column for row, column in zip(rows, columns))[:n_sparse]
        values[path] = {
            "a": 0.1 * torch.randn(RANK, 32, generator=generator),
            "b": 0.02 * torch.randn(32, RANK, generator=generator),
            "s_indices": torch.tensor(indices, dtype=torch.int32),
            "s_values": (0.05 * torch.randn(N_SPARSE, generator=generator))[:n_sparse],
        }
    return values


def delta_paths():
    return [f"bert.encoder.layer.{layer}.attention.self.{site}" for layer in (0, 1) for site in ("query", "value")]


def attach_deltas(model, values):
    """Freezes all but the classifier, wraps the sites and returns the trained tensors by their name in the files."""
    model.requires_grad_(False)
    model.classifier.requires_grad_(True)
    trained = {f"classifier.{name}": parameter for name, parameter in model.classifier.named_parameters()}
    for path, site_values in values.items():
        parent, _, leaf = path.rpartition(".")
        site = DeltaLinear(model.get_submodule(path), site_values)
        setattr(model.get_submodule(parent), leaf, site)
        trained.update({f"{path}.{name}": parameter for name, parameter in site.named_parameters(recurse=False)})
    # An empty S is no tensor at all in the files.
    return {name: parameter for name, parameter in trained.items() if parameter.numel() > 0}


def weight_masks(model):
    """A random mask (1 = kept) of every weight that unstructured pruning may touch, by parameter name."""
    generator = torch.Generator().manual_seed(5)
    masks = {}
    for name, parameter in model.named_parameters():
        is_site = any(part in name for part in ("query", "key", "value", "dense"))
        if name.startswith("bert.") and name.endswith(".weight") and is_site:
            order = torch.randperm(parameter.numel(), generator=generator)
            mask = torch.ones(parameter.numel(), dtype=torch.uint8)
            mask[order[: round(MASKED_SHARE * parameter.numel())]] = 0
            masks[name] = mask.view_as(parameter)
    return masks


def remove_heads(model, trained):
    """Zeroes what a removed head owns. With its columns of the output weight at zero, its gradients are exactly zero."""
    with torch.no_grad():
        for layer, heads in REMOVED_HEADS.items():
            rows = [8 * head + row for head in heads for row in range(8)]
            prefix = f"bert.encoder.layer.{layer}.attention"
            model.get_submodule(f"{prefix}.output.dense").weight[:, rows] = 0.0
            for leaf in ("query", "value"):
                site = model.get_submodule(f"{prefix}.self.{leaf}")
                trained[f"{prefix}.self.{leaf}.b"][rows] = 0.0
                removed = torch.isin(site.indices // 32, torch.tensor(rows))
                trained[f"{prefix}.self.{leaf}.s_values"][removed] = 0.0


# -------------------------------------------------------------------------------------------- training


def write_training(out, drift):
    cases = {
        "bert_full": full_case, "bert_full_decay": decay_case, "bert_lora": lora_case, "bert_dsee": dsee_case,
        "bert_dsee_masked": masked_case, "bert_full_masked": full_masked_case, "bert_dsee_heads": heads_case, "bert_mse": mse_case, "bert_mlm": mlm_case,
    }  # fmt: skip
    for name, case in cases.items():
        tensors = case(out, torch.float32)
        write_tensors(out / f"{name}.safetensors", tensors)
        if drift:
            print_drift(name, tensors, case(out, torch.float64))


def full_case(out, dtype):
    model = load(BertForSequenceClassification, out / "tiny_bert", dtype)
    return classification_case(model, dict(model.named_parameters()), learning_rate=1e-3)


def lora_case(out, dtype):
    return delta_case(out, dtype, n_sparse=0)


def dsee_case(out, dtype):
    return delta_case(out, dtype)


def masked_case(out, dtype):
    masks = weight_masks(load(BertForSequenceClassification, out / "tiny_bert", dtype))

    def mask(model, _trained):
        # A wrapped site holds its weight one level lower.
        weights = {name.replace(".linear.", "."): parameter for name, parameter in model.named_parameters()}
        with torch.no_grad():
            for name, kept in masks.items():
                weights[name].mul_(kept)

    return delta_case(out, dtype, change=mask) | {f"mask.{name}": kept for name, kept in masks.items()}


def full_masked_case(out, dtype):
    """Whole weights under masks, by torch's own pruning: a pruned entry has no gradient, and counts for no norm."""
    model = load(BertForSequenceClassification, out / "tiny_bert", dtype)
    masks = weight_masks(model)
    for name, kept in masks.items():
        torch.nn.utils.prune.custom_from_mask(model.get_submodule(name.removesuffix(".weight")), "weight", kept)
    trained = {name.removesuffix("_orig"): parameter for name, parameter in model.named_parameters()}
    tensors = classification_case(model, trained, learning_rate=1e-3)
    for name, kept in masks.items():
        # torch keeps the value of before under the mask.
        tensors[f"final.{name}"] *= kept
    return tensors | {f"mask.{name}": kept for name, kept in masks.items()}


def heads_case(out, dtype):
    return delta_case(out, dtype, change=remove_heads)


def delta_case(out, dtype, n_sparse=N_SPARSE, change=None):
    model = load(BertForSequenceClassification, out / "tiny_bert", dtype)
    values = delta_values(n_sparse)
    trained = attach_deltas(model, values)
    if change is not None:
        change(model, trained)
    tensors = classification_case(model, trained, learning_rate=1e-2)
    tensors["scale"] = torch.tensor([SCALE])
    for path, site_values in values.items():
        kept = {name: value for name, value in site_values.items() if value.numel() > 0}
        tensors.update({f"init.{path}.{name}": value for name, value in kept.items()})
    return tensors


def classification_case(model, trained, learning_rate):
    batch, labels = Batch(), torch.tensor(LABELS)
    first = forward(model, batch, labels)
    tensors = batch.packed | {"labels": labels.int()} | first_step(first, trained)
    return tensors | train(model, batch, labels, trained, learning_rate, N_STEPS)


def decay_case(out, dtype):
    """Five steps with weight decay in transformers' two groups; the strong trace shows a wrong grouping in the loss."""
    batch, labels = Batch(), torch.tensor(LABELS)
    tensors = batch.packed | {"labels": labels.int()}
    for prefix, decay in (("", 0.01), ("strong.", 2.0)):
        model = load(BertForSequenceClassification, out / "tiny_bert", dtype)
        trace = train(model, batch, labels, dict(model.named_parameters()), 1e-2, 5, decay)
        kept = {name: value for name, value in trace.items() if not prefix or not name.startswith("final.")}
        tensors.update({prefix + name: value for name, value in kept.items()})
        tensors[f"{prefix}weight_decay"] = torch.tensor([decay])
    return tensors


def mse_case(out, dtype):
    labels = torch.tensor(SCORES, dtype=dtype)
    model = load(
        BertForSequenceClassification, out / "tiny_bert", dtype,
        num_labels=1, problem_type="regression", ignore_mismatched_sizes=True,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for parameter in model.classifier.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    batch = Batch()
    init = {f"init.classifier.{name}": value.detach().clone() for name, value in model.classifier.named_parameters()}
    names = ["classifier.weight", "classifier.bias", "bert.encoder.layer.0.attention.self.query.weight"]
    trained = {name: model.get_parameter(name) for name in names}
    return batch.packed | {"labels": labels} | init | first_step(forward(model, batch, labels), trained)


def mlm_case(out, dtype):
    model = load(BertForMaskedLM, out / "tiny_bert_mlm", dtype)
    batch = Batch()
    # Positions in packed order; the tokens there are a mask, a wrong token, and kept ones, as the objective has it.
    positions = torch.tensor([2, 4, 9, 13, 16, 23, 24, 31, 39])
    targets = batch.packed["input_ids"][positions].clone()
    batch.packed["input_ids"][positions[:6]] = SPECIALS.index("[MASK]")
    batch.packed["input_ids"][positions[6]] = 77
    batch.padded["input_ids"] = batch.pad(batch.packed["input_ids"])
    labels = torch.full((sum(LENGTHS),), -100)
    labels[positions] = targets.long()
    outputs = forward(model, batch, batch.pad(labels, fill=-100))
    tensors = first_step(outputs, dict(model.named_parameters()))
    kept = batch.padded["attention_mask"].bool()
    tensors["logits"] = outputs.logits.detach()[kept][positions].clone()
    return batch.packed | tensors | {"mlm_positions": positions.int(), "mlm_labels": targets}


def forward(model, batch, labels):
    outputs = model(**batch.padded, labels=labels)
    outputs.loss.backward()
    return outputs


def first_step(outputs, trained):
    tensors = {"logits": outputs.logits.detach().clone(), "loss": outputs.loss.detach().reshape(1)}
    return tensors | {f"grad.{name}": parameter.grad.clone() for name, parameter in trained.items()}


def train(model, batch, labels, trained, learning_rate, n_steps, weight_decay=0.0):
    """AdamW with global-norm clip 1 and linear decay to zero; step i uses `learning_rate · (1 − i / n_steps)`."""
    bare = [name for name in trained if name.endswith("bias") or "LayerNorm" in name]
    groups = [
        {"params": [trained[name] for name in trained if name not in bare], "weight_decay": weight_decay},
        {"params": [trained[name] for name in bare], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.999), eps=1e-8, foreach=False)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 - step / n_steps)
    losses, norms, rates = [], [], []
    for _ in range(n_steps):
        model.zero_grad(set_to_none=True)
        losses.append(forward(model, batch, labels).loss.detach())
        norms.append(torch.nn.utils.clip_grad_norm_(list(trained.values()), 1.0))
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    final = {f"final.{name}": parameter.detach().clone() for name, parameter in trained.items()}
    traces = {"losses": torch.stack(losses), "grad_norms": torch.stack(norms), "learning_rates": torch.tensor(rates)}
    return traces | final


def print_drift(case, single, double):
    print(f"{case}: loss {single['losses' if 'losses' in single else 'loss'].tolist()}")
    if "grad_norms" in single:
        print(f"  grad_norms {single['grad_norms'].tolist()}")
    for kind in ("logits", "loss", "strong.losses", "grad_norms", "grad.", "final."):
        worst = [(float((single[n].double() - double[n]).abs().max()), n) for n in single if n.startswith(kind)]
        if worst:
            others = [pair for pair in worst if "key.bias" not in pair[1]]
            print(f"  {kind:14} worst {max(worst)}, without key.bias {max(others)}")


# ------------------------------------------------------------------------------------------------ peft


def write_peft(out):
    """A LoRA adapter written by peft itself, with the factors of `bert_lora` and a classifier of its own."""
    model = load(BertForSequenceClassification, out / "tiny_bert", torch.float32)
    model.name_or_path = "tiny_bert"
    config = peft.LoraConfig(
        task_type="SEQ_CLS", r=RANK, lora_alpha=int(ALPHA), lora_dropout=0.0, target_modules=["query", "value"]
    )
    adapted = peft.get_peft_model(model, config)
    generator = torch.Generator().manual_seed(7)
    values = delta_values(0)
    with torch.no_grad():
        for path, site_values in values.items():
            site = adapted.base_model.model.get_submodule(path)
            site.lora_A["default"].weight.copy_(site_values["a"])
            site.lora_B["default"].weight.copy_(site_values["b"])
        for parameter in adapted.base_model.model.classifier.modules_to_save["default"].parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    folder = out / "peft"
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink()
    sort_adapter_config(folder / "adapter_config.json", "tiny_bert")
    batch = Batch()
    logits = adapted.eval()(**batch.padded).logits.detach()
    check_against_own_delta(out, values, adapted, logits)
    write_tensors(folder / "logits.safetensors", batch.packed | {"logits": logits})
    write_json(folder / "listing.json", listing(folder / "adapter_model.safetensors"))


def sort_adapter_config(path, base):
    # peft writes `target_modules` from a set, in an order that changes from run to run.
    config = json.loads(path.read_text())
    if "target_modules" in config:
        config["target_modules"] = sorted(config["target_modules"])
    config["base_model_name_or_path"] = base
    write_json(path, config)


def check_against_own_delta(out, values, adapted, logits):
    """The two implementations of the update must agree, or one of them is not what the golden files claim."""
    model = load(BertForSequenceClassification, out / "tiny_bert", torch.float32)
    attach_deltas(model, values)
    saved = adapted.base_model.model.classifier.modules_to_save["default"]
    model.classifier.load_state_dict(saved.state_dict())
    difference = (model(**Batch().padded).logits - logits).abs().max().item()
    if difference > 1e-5:
        raise SystemExit(f"peft and DeltaLinear differ by {difference}")


def listing(path):
    with safe_open(path, "pt") as file:
        slices = {name: file.get_slice(name) for name in sorted(file.keys())}
        tensors = {name: {"dtype": part.get_dtype(), "shape": part.get_shape()} for name, part in slices.items()}
        return {"metadata": file.metadata(), "tensors": tensors}


# ------------------------------------------------------------------------------------------- tokenizer


def tiny_tokenizer():
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = SPECIALS + letters + [f"##{letter}" for letter in letters] + list("0123456789")
    vocabulary += list(".,!?'-\"():;") + ["中", "文", "日", "é", "ß", "א", "م", "😀", "ı"]
    vocabulary += "the of and was not movie film good bad great ing ##ing ##ed ##er ##ly un ##un cafe nai ##ve ##ness ##😀 ##é".split()
    vocabulary += [f"##{digit}" for digit in "0123456789"][: N_VOCAB - len(vocabulary)]
    if len(vocabulary) != N_VOCAB or len(set(vocabulary)) != N_VOCAB:
        raise SystemExit(f"the vocabulary has {len(set(vocabulary))} of {N_VOCAB} entries")
    ids = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.add_special_tokens(SPECIALS)
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    return tokenizer


TEXTS = [
    "", " ", "the movie was great", "The MOVIE was NOT good!", "\tthe\nfilm\r\nwas  bad ", "the\u00a0film\u3000was",
    "café", "cafe\u0301", "naïve CAFÉ", "Éé Ée\u0301", "ß straße STRASSE", "ı İ i I", "中文 movie 日本", "日本語のテキスト",
    "한국어 영화", "\u1112\u1161\u11ab", "ﬁlm ﬂy", "ｔｈｅ ｆｉｌｍ １２３！", "😀", "good😀film 😀😀", "👩‍👩‍👧‍👦 family", "👍🏽 🇩🇪",
    "א ב שלום", "مرحبا م", "\u202ethe film\u202c", "the\u200bfilm\u200d\ufeffwas", "the\u00adfilm", "bad\u0000film\u0007was\u007f",
    "the \ufffd film", "a\u0308\u0323\u0301b", "\u0301the", "हिन्दी फ़िल्म", "ไทยภาพยนตร์", "𝒕𝒉𝒆 𝟙𝟚", "un" * 40, "a" * 100, "a" * 101,
    "the " + "z" * 300 + " film", "don't re-do (it): \"the; film\" 3.14", "[CLS] the [MASK] film [SEP]", "[mask] [PAD]",
    "x²+y³=½ №5 ™", "$5 €7 £9 ¥3 a_b~c^d|e`f", "\ud7ff \ue000 \U0010ffff",
    "the film was not good and the film was not bad and the film was great",
]  # fmt: skip

LONG = "the film was not good and the movie was great"
PAIRS = [
    ("", ""), ("the film", ""), ("", "the film"), ("good", "bad"), ("café 中文", "naïve 😀"), (LONG, "bad"), ("bad", LONG),
    (LONG, LONG), (LONG + "!", LONG), ("unun" * 10, "a b c d e f g h i j k l m n o p"), ("the\nfilm", "\u200bgreat\t"),
]  # fmt: skip


def tokenizer_ids(tokenizer):
    cases = [{"text": text} for text in TEXTS] + [{"text": first, "pair": second} for first, second in PAIRS]
    for case in cases:
        tokenizer.no_truncation()
        full = tokenizer.encode(case["text"], case.get("pair"))
        tokenizer.enable_truncation(16, strategy="longest_first")
        cut = tokenizer.encode(case["text"], case.get("pair"))
        case |= {"ids": full.ids, "type_ids": full.type_ids, "ids_16": cut.ids, "type_ids_16": cut.type_ids}
    tokenizer.no_truncation()
    return {"versions": {"tokenizers": version("tokenizers")}, "max_length": 16, "cases": cases}


# --------------------------------------------------------------------------------------------- metrics


def metrics():
    rng = np.random.default_rng(8)
    cases = [classification_set(rng, *setting) for setting in CLASSIFICATION_SETS]
    cases += [regression_set(rng, *setting) for setting in REGRESSION_SETS]
    note = "null: undefined, the reference returns NaN or refuses; a zero denominator of F1 or Matthews gives 0"
    return {"versions": {name: version(name) for name in PACKAGES[-3:]}, "note": note, "cases": cases}


# Name, number of rows, number of classes, share of predictions that agree, constant prediction or None.
CLASSIFICATION_SETS = [
    ("binary", 40, 2, 0.7, None), ("binary large", 200, 2, 0.4, None), ("binary perfect", 12, 2, 1.0, None),
    ("all predicted 0", 20, 2, 0.0, 0), ("all predicted 1", 20, 2, 0.0, 1), ("three classes", 60, 3, 0.6, None),
    ("three classes, one predicted", 15, 3, 0.0, 2), ("one row", 1, 2, 1.0, None),
]  # fmt: skip


def classification_set(rng, name, n_rows, n_classes, agreement, constant):
    labels = rng.integers(0, n_classes, n_rows)
    predictions = np.where(rng.random(n_rows) < agreement, labels, rng.integers(0, n_classes, n_rows))
    if constant is not None:
        predictions = np.full(n_rows, constant)
    expected = {"accuracy": sklearn.metrics.accuracy_score(labels, predictions)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected["matthews"] = sklearn.metrics.matthews_corrcoef(labels, predictions)
    if n_classes == 2:
        expected["f1"] = sklearn.metrics.f1_score(labels, predictions, pos_label=1, zero_division=0)
    return case_record(name, "classification", labels, predictions, expected)


# Name, number of rows, noise beside the label, rounding step that makes ties or None.
REGRESSION_SETS = [
    ("continuous", 30, 0.5, None), ("ties in both", 50, 1.0, 0.5), ("opposite", 25, None, None), ("many ties", 80, 2.0, 2.0),
    ("constant prediction", 10, 0.0, math.inf), ("two rows", 2, 0.3, None), ("one row", 1, 0.3, None),
]  # fmt: skip


def regression_set(rng, name, n_rows, noise, step):
    labels = np.round(5.0 * rng.random(n_rows), 2)
    predictions = -labels if noise is None else labels + noise * rng.standard_normal(n_rows)
    if step == math.inf:
        predictions = np.full(n_rows, 2.5)
    elif step is not None:
        labels, predictions = np.round(labels / step) * step, np.round(predictions / step) * step
    # Six decimals, so that the text of the file is the exact input.
    predictions = np.round(predictions, 6)
    expected = {"pearson": None, "spearman": None}
    if n_rows > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected["pearson"] = scipy.stats.pearsonr(labels, predictions).statistic
            expected["spearman"] = scipy.stats.spearmanr(labels, predictions).statistic
    return case_record(name, "regression", labels, predictions, expected)


def case_record(name, kind, labels, predictions, expected):
    numbers = {metric: None if value is None or math.isnan(value) else float(value) for metric, value in expected.items()}
    return {"name": name, "kind": kind, "labels": labels.tolist(), "predictions": predictions.tolist(), "expected": numbers}


# --------------------------------------------------------------------------------------------- writing


def write_tensors(path, tensors):
    data = save({name: value.detach().contiguous() for name, value in tensors.items()}, {"format": "pt"})
    # The library writes metadata in the order of a hash map; sorting the header makes the bytes repeatable.
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] |= {name: version(name) for name in PACKAGES[:5]}
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def write_json(path, value):
    text = json.dumps(value, ensure_ascii=True, indent=1)
    path.write_text(text + "\n")


if __name__ == "__main__":
    main()
