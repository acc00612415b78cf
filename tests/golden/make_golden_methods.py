"""Regenerates the golden files of the methods that add something to a model, as make_golden.py does those of its updates:
`python make_golden_methods.py --out DIR`, where DIR has the models already. Names are this project's.
"""

import argparse
from pathlib import Path

import make_golden as base
import make_golden_families as families
import torch
from make_golden import N_STEPS
from transformers import BertForSequenceClassification, GPT2LMHeadModel

BOTTLENECK, N_PREFIX, HIDDEN, PENALTY = 6, 3, 5, 0.05
LAYERS = (0, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    cases = {
        "bert_adapters": bert_adapters, "gpt2_adapters": gpt2_adapters, "bert_prefix": bert_prefix,
        "gpt2_prefix": gpt2_prefix, "bert_search": bert_search,
    }  # fmt: skip
    for name, case in cases.items():
        base.write_tensors(out / f"{name}.safetensors", case(out))


class Values:
    """Trained tensors with random first values; none is zero, so that every gradient is exercised."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        self.trained = {}

    def new(self, name, *shape, scale=0.3, shift=0.0):
        value = shift + scale * torch.randn(shape, generator=self.generator)
        self.trained[name] = torch.nn.Parameter(value)
        return self.trained[name]

    def finish(self, model):
        """The first values. The model learns of its new parameters, so that it clears their gradients."""
        model.added = torch.nn.ParameterList(self.trained.values())
        return {f"init.{name}": value.detach().clone() for name, value in self.trained.items()}


class Bottleneck(torch.nn.Module):
    """In the place of the dropout behind a map."""

    def __init__(self, values, path):
        super().__init__()
        down, up = f"{path}.adapter_down", f"{path}.adapter_up"
        self.down = (values.new(f"{down}.weight", BOTTLENECK, 32), values.new(f"{down}.bias", BOTTLENECK))
        self.up = (values.new(f"{up}.weight", 32, BOTTLENECK), values.new(f"{up}.bias", 32))
        self.pieces = torch.nn.ParameterList([*self.down, *self.up])

    def forward(self, h):
        linear = torch.nn.functional.linear
        return h + linear(torch.nn.functional.silu(linear(h, *self.down)), *self.up)


class Prefix:
    """Looks like a cache to the attention of transformers, and gives it keys and values before those of the text."""

    def __init__(self, key, value):
        self.key, self.value = key, value

    def update(self, key, value, _layer):
        return self.before(self.key(), key), self.before(self.value(), value)

    @staticmethod
    def before(rows, states):
        batch, heads, _, size = states.shape
        rows = rows.view(len(rows), heads, size).transpose(0, 1).expand(batch, -1, -1, -1)
        return torch.cat((rows, states), dim=2)

    def attach(self, attention):
        def change(_module, arguments, settings):
            mask = settings["attention_mask"]
            seen = torch.zeros((*mask.shape[:-1], N_PREFIX), dtype=mask.dtype)
            if mask.dtype == torch.bool:
                seen = ~seen
            mask = torch.cat((seen, mask), dim=-1)
            return arguments, settings | {"past_key_values": self, "attention_mask": mask}

        attention.register_forward_pre_hook(change, with_kwargs=True)


def shifted(batch):
    """The prefix stands at the first positions."""
    n = batch.padded["input_ids"].shape[1]
    batch.padded["position_ids"] = torch.arange(N_PREFIX, N_PREFIX + n)[None]
    return batch


def bert(out):
    model = families.load(BertForSequenceClassification, out, "tiny_bert").requires_grad_(False)
    model.classifier.requires_grad_(True)
    return model, {f"classifier.{name}": value for name, value in model.classifier.named_parameters()}


def classification(model, trained, rate, batch):
    labels = torch.tensor(base.LABELS)
    first = base.forward(model, batch, labels)
    tensors = batch.packed | {"labels": labels.int()} | base.first_step(first, trained)
    return tensors | base.train(model, batch, labels, trained, rate, N_STEPS)


def bert_adapters(out):
    (model, head), values = bert(out), Values(21)
    for layer in LAYERS:
        for block in ("attention.output", "output"):
            path = f"bert.encoder.layer.{layer}.{block}"
            model.get_submodule(path).dropout = Bottleneck(values, f"{path}.dense")
    return values.finish(model) | classification(model, head | values.trained, 1e-2, base.Batch())


def gpt2_adapters(out):
    values = Values(22)
    model = families.load(GPT2LMHeadModel, out, "tiny_gpt2").requires_grad_(False)
    for layer in LAYERS:
        model.transformer.h[layer].mlp.dropout = Bottleneck(values, f"transformer.h.{layer}.mlp.c_proj")
    return values.finish(model) | families.language(model, values.trained, 1e-2)


def bert_prefix(out):
    (model, head), values = bert(out), Values(23)
    for layer in LAYERS:
        attention = f"bert.encoder.layer.{layer}.attention.self"
        rows = [values.new(f"{attention}.{leaf}.prefix", N_PREFIX, 32, scale=1.0) for leaf in ("key", "value")]
        Prefix(*(lambda rows=rows: rows for rows in rows)).attach(model.get_submodule(attention))
    return values.finish(model) | classification(model, head | values.trained, 1e-2, shifted(base.Batch()))


def gpt2_prefix(out):
    values = Values(24)
    model = families.load(GPT2LMHeadModel, out, "tiny_gpt2").requires_grad_(False)
    embedding = values.new("prefix.embedding", N_PREFIX, 32, scale=1.0)
    down = values.new("prefix.down.weight", HIDDEN, 32), values.new("prefix.down.bias", HIDDEN)
    linear = torch.nn.functional.linear
    for layer in LAYERS:
        computed = []
        for leaf in ("key", "value"):
            path = f"transformer.h.{layer}.attn.c_attn.{leaf}.prefix_up"
            up = values.new(f"{path}.weight", 32, HIDDEN), values.new(f"{path}.bias", 32)
            computed.append(lambda up=up: linear(torch.tanh(linear(embedding, *down)), *up))
        Prefix(*computed).attach(model.transformer.h[layer].attn)
    init, plain = values.finish(model), families.plain_batch
    families.plain_batch = lambda segments: shifted(plain(segments))
    tensors = families.language(model, values.trained, 1e-2)
    families.plain_batch = plain
    return init | tensors


def bert_search(out):
    """Everything is trained. The penalty is no part of the loss in the file, but of every gradient and norm."""
    model, values = families.load(BertForSequenceClassification, out, "tiny_bert"), Values(25)
    for layer in LAYERS:
        prefix = f"bert.encoder.layer.{layer}"
        places = {"attention.output.dense": (4, 8), "output.dense": (64, 1)}
        for module, (n, group) in places.items():
            coefficients = values.new(f"{prefix}.{module}.coefficients", n, shift=0.8)
            coefficients.register_hook(lambda gradient, c=coefficients: gradient + PENALTY * c.detach().sign())

            def scale(_module, arguments, c=coefficients, group=group):
                return (arguments[0] * c.repeat_interleave(group),)

            model.get_submodule(f"{prefix}.{module}").register_forward_pre_hook(scale)
    trained = dict(model.named_parameters()) | values.trained
    penalty = {"penalty": torch.tensor([PENALTY])}
    return values.finish(model) | penalty | classification(model, trained, 1e-3, base.Batch())


if __name__ == "__main__":
    main()
