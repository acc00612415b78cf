"""Regenerates the golden files of RoBERTa and GPT-2, as make_golden.py does those of BERT: `python make_golden_families.py
--out DIR`. Parameters go by this project's names: GPT-2's maps are (out, in), and query, key and value stand alone.
"""

import argparse
import math
from pathlib import Path

import make_golden as base
import torch
from make_golden import LABELS, LENGTHS, N_SPARSE, N_STEPS, N_VOCAB, RANK, SCALE, Batch
from transformers import GPT2Config, GPT2ForSequenceClassification, GPT2LMHeadModel
from transformers import RobertaConfig, RobertaForMaskedLM, RobertaForSequenceClassification

# Tokens of each sequence that are given; the rest is predicted.
N_GIVEN = 2
EOS = 30


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    out.mkdir(parents=True, exist_ok=True)
    write_models(out)
    cases = {
        "roberta_full": roberta_case, "roberta_mlm": roberta_mlm_case, "gpt2_classes": gpt2_classes_case,
        "gpt2_full": gpt2_full_case, "gpt2_dsee": gpt2_dsee_case,
    }  # fmt: skip
    for name, case in cases.items():
        base.write_tensors(out / f"{name}.safetensors", case(out))
    base.write_json(out / "gpt2_generate.json", generations(out))


def write_models(out):
    roberta = RobertaConfig(
        vocab_size=N_VOCAB, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=42, type_vocab_size=1, num_labels=3, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, problem_type="single_label_classification",
    )  # fmt: skip
    gpt2 = GPT2Config(
        vocab_size=N_VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=40, num_labels=3, resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=EOS, eos_token_id=EOS, pad_token_id=0,
        problem_type="single_label_classification",
    )  # fmt: skip
    for folder, kind, config, seed in (
        ("tiny_roberta", RobertaForSequenceClassification, roberta, 11),
        ("tiny_roberta_mlm", RobertaForMaskedLM, roberta, 12),
        ("tiny_gpt2", GPT2LMHeadModel, gpt2, 13),
        ("tiny_gpt2_classes", GPT2ForSequenceClassification, gpt2, 14),
    ):
        torch.manual_seed(seed)
        model = kind(config)
        base.randomise(model, seed)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if ".ln_" in name and name.endswith("weight"):
                    parameter.add_(1.0)
        model.save_pretrained(out / folder)


def load(kind, out, folder):
    return base.load(kind, out / folder, torch.float32)


def plain_batch(segments=True):
    batch = Batch()
    batch.packed["token_type_ids"].zero_()
    batch.padded["token_type_ids"].zero_()
    if not segments:
        del batch.padded["token_type_ids"]
    return batch


def roberta_case(out):
    model = load(RobertaForSequenceClassification, out, "tiny_roberta")
    return classification(model, dict(model.named_parameters()), 1e-3)


def gpt2_classes_case(out):
    model = load(GPT2ForSequenceClassification, out, "tiny_gpt2_classes")
    # GPT-2 would look up segments among the words.
    return rename(classification(model, dict(model.named_parameters()), 1e-3, segments=False))


def classification(model, trained, rate, segments=True):
    batch, labels = plain_batch(segments), torch.tensor(LABELS)
    first = base.forward(model, batch, labels)
    tensors = batch.packed | {"labels": labels.int()} | base.first_step(first, trained)
    return tensors | base.train(model, batch, labels, trained, rate, N_STEPS)


def roberta_mlm_case(out):
    model = load(RobertaForMaskedLM, out, "tiny_roberta_mlm")
    batch = plain_batch()
    positions = torch.tensor([2, 4, 9, 13, 16, 23, 24, 31, 39])
    targets = batch.packed["input_ids"][positions].clone()
    batch.packed["input_ids"][positions[:6]] = 4
    batch.padded["input_ids"] = batch.pad(batch.packed["input_ids"])
    labels = torch.full((sum(LENGTHS),), -100)
    labels[positions] = targets.long()
    outputs = base.forward(model, batch, batch.pad(labels, fill=-100))
    tensors = base.first_step(outputs, dict(model.named_parameters()))
    kept = batch.padded["attention_mask"].bool()
    tensors["logits"] = outputs.logits.detach()[kept][positions].clone()
    return batch.packed | tensors | {"mlm_positions": positions.int(), "mlm_labels": targets}


def gpt2_full_case(out):
    model = load(GPT2LMHeadModel, out, "tiny_gpt2")
    return rename(language(model, dict(model.named_parameters()), 1e-3))


def gpt2_dsee_case(out):
    model = load(GPT2LMHeadModel, out, "tiny_gpt2")
    model.requires_grad_(False)
    generator = torch.Generator().manual_seed(4)
    trained, init = {}, {}
    for layer in range(2):
        values = {}
        for number, leaf in enumerate(("query", "value")):
            path = f"transformer.h.{layer}.attn.c_attn.{leaf}"
            rows = [(row + 3 * number) % 32 for row in (1, 9, 9, 22, 30)]
            columns = [(column + 5 * layer) % 32 for column in (3, 17, 29, 17, 8)]
            site = {
                "a": 0.1 * torch.randn(RANK, 32, generator=generator),
                "b": 0.02 * torch.randn(32, RANK, generator=generator),
                "s_indices": torch.tensor(sorted(32 * r + c for r, c in zip(rows, columns)), dtype=torch.int32),
                "s_values": 0.05 * torch.randn(N_SPARSE, generator=generator),
            }
            init.update({f"init.{path}.{name}": value.clone() for name, value in site.items()})
            values[leaf] = {
                name: torch.nn.Parameter(value) if value.is_floating_point() else value.long()
                for name, value in site.items()
            }
            trained.update({f"{path}.{name}": values[leaf][name] for name in ("a", "b", "s_values")})
        attention = model.transformer.h[layer].attn
        attention.c_attn = AdaptedConv1d(attention.c_attn, values)
    return language(model, trained, 1e-2) | init | {"scale": torch.tensor([SCALE])}


class AdaptedConv1d(torch.nn.Module):
    """`c_attn` with updates of its query and value columns."""

    def __init__(self, conv, values):
        super().__init__()
        self.conv, self.values = conv, values
        for leaf, site in values.items():
            for name in ("a", "b", "s_values"):
                self.register_parameter(f"{leaf}_{name}", site[name])

    def forward(self, x):
        query, key, value = self.conv(x).split(32, dim=-1)
        return torch.cat((query + self.update(x, "query"), key, value + self.update(x, "value")), dim=-1)

    def update(self, x, leaf):
        site = self.values[leaf]
        sparse = torch.zeros(32 * 32).index_put((site["s_indices"],), site["s_values"]).view(32, 32)
        low_rank = torch.nn.functional.linear(torch.nn.functional.linear(x, site["a"]), site["b"])
        return SCALE * (low_rank + torch.nn.functional.linear(x, sparse))


def language(model, trained, rate):
    """Every token behind the given ones is predicted from the one before it."""
    batch = plain_batch(segments=False)
    packed = batch.packed["input_ids"].long()
    offsets = batch.packed["offsets"].tolist()
    labels, asked = torch.full_like(packed, -100), []
    for start, end in zip(offsets, offsets[1:]):
        labels[start + N_GIVEN : end] = packed[start + N_GIVEN : end]
        asked += range(start + N_GIVEN - 1, end - 1)
    padded = batch.pad(labels, fill=-100)
    outputs = base.forward(model, batch, padded)
    tensors = base.first_step(outputs, trained)
    kept = batch.padded["attention_mask"].bool()
    tensors["logits"] = outputs.logits.detach()[kept][asked].clone()
    asked = torch.tensor(asked)
    tensors |= {"mlm_positions": asked.int(), "mlm_labels": packed[asked + 1].int()}
    return batch.packed | tensors | base.train(model, batch, padded, trained, rate, N_STEPS)


def rename(tensors):
    """From GPT-2's fused and transposed maps to one (out, in) map each."""
    renamed = {}
    for key, value in tensors.items():
        kind, _, name = key.partition(".")
        module, _, leaf = name.rpartition(".")
        if kind not in ("grad", "final") or not module.endswith(("c_attn", "c_proj", "c_fc")):
            renamed[key] = value
            continue
        value = value.t() if value.dim() == 2 else value
        blocks = {f"{module}.{part}": block for part, block in zip(("query", "key", "value"), value.chunk(3))}
        if not module.endswith("c_attn"):
            blocks = {module: value}
        renamed.update({f"{kind}.{path}.{leaf}": block.contiguous() for path, block in blocks.items()})
    return renamed


def generations(out):
    """Continuations by transformers' own search, and logits of the whole text for the cache to agree with."""
    model = load(GPT2LMHeadModel, out, "tiny_gpt2").eval()
    prompts = [[17, 5, 90], [44, 101, 8, 8, 63, 12, 70], [119]]
    settings = {
        "greedy": {},
        "greedy_no_repeat": {"no_repeat_ngram_size": 2, "repetition_penalty": 1.3},
        "beam": {"num_beams": 4, "length_penalty": 0.8},
        "beam_no_repeat": {"num_beams": 3, "length_penalty": 1.4, "no_repeat_ngram_size": 2},
        "beam_early": {"num_beams": 4, "early_stopping": True},
    }
    cases = []
    for name, chosen in settings.items():
        for prompt in prompts:
            ids = torch.tensor([prompt])
            with torch.no_grad():
                text = model.generate(
                    ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False, **chosen
                )
            cases.append({"name": name, "settings": chosen, "prompt": prompt, "tokens": text[0, len(prompt) :].tolist()})
    for ends, penalty, ngram in (([EOS], 0.8, 4), ([EOS, 31, 77], 0.8, 4), ([EOS, 12, 88], 1.5, 2)):
        for prompt in prompts:
            chosen = {
                "beam_rule": "paper", "num_beams": 10, "length_penalty": penalty, "no_repeat_ngram_size": ngram,
                "eos_token_ids": ends,
            }  # fmt: skip
            tokens = paper_beams(model, prompt, ends, penalty, ngram)
            cases.append({"name": "paper", "settings": chosen, "prompt": prompt, "tokens": tokens})
    return {"max_new_tokens": 24, "eos_token_id": EOS, "cases": cases}


def paper_beams(model, prompt, ends, penalty, ngram, n_beams=10, n_steps=24):
    """The search that the paper's figures rest on, written down from its description (method specification 6.3): the best
    candidates are all there are, those that end leave no others in their place, and no step is left out. Nothing is
    cached."""
    beams, best = [([], 0.0)], (-math.inf, [])
    for _ in range(n_steps):
        candidates = []
        for number, (tokens, score) in enumerate(beams):
            with torch.no_grad():
                logits = model(torch.tensor([prompt + tokens])).logits[0, -1]
            for token in forbidden(tokens, ngram):
                logits[token] = -math.inf
            scores = score + torch.log_softmax(logits, dim=-1)
            candidates += [(value, number, token) for token, value in enumerate(scores.tolist())]
        candidates.sort(key=lambda one: -one[0])
        new = []
        for score, number, token in candidates[:n_beams]:
            tokens = beams[number][0] + [token]
            if token in ends:
                best = max(best, (score / len(tokens) ** penalty, tokens), key=lambda one: one[0])
                score = -math.inf
            new.append((tokens, score))
        beams = new
        if all(score == -math.inf for _, score in beams):
            break
    running = [(score / len(tokens) ** penalty, tokens) for tokens, score in beams]
    return max([best, *running], key=lambda one: one[0])[1]


def forbidden(tokens, size):
    """Tokens that would make the last `size` generated ones occur twice."""
    start = tokens[len(tokens) - size + 1 :]
    before = range(len(tokens) - size + 1)
    return [tokens[i + size - 1] for i in before if tokens[i : i + size - 1] == start]


if __name__ == "__main__":
    main()
