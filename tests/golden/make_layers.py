#!/usr/bin/env python3
"""Write golden mixture-of-experts layers below tests/golden/layers.

One layer each of GPT-OSS, Llama 4 and LongCat-Flash by the classes of the
transformers package: inputs, parameters, output and every gradient. See
README.md for what a file holds.

    python make_layers.py                 # everything
    python make_layers.py --check         # compare what is stored with the package
"""

import argparse
import json
import sys

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import GptOssConfig, Llama4TextConfig, LongcatFlashConfig
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssMLP
from transformers.models.llama4.modeling_llama4 import Llama4TextMoe
from transformers.models.longcat_flash.modeling_longcat_flash import LongcatFlashMoE

from make_gradients import add, gradients_of
from make_models import HERE, gap_at, write

LAYERS = HERE / "layers"
MARGIN = 0.01  # as in make_models.py


class gpt_oss:
    """Router bias, biases on both matrices, gate and up interleaved and clamped, weights [E,H,2F] and [E,F,H]."""

    seed, tokens, hidden = 5100, 13, 18
    probe = dict(top_k=2, score="softmax", score_order="post", activation="gpt_oss", glu_layout="interleaved")

    def __init__(self):
        self.module = GptOssMLP(GptOssConfig(
            hidden_size=18, intermediate_size=7, num_local_experts=5, num_experts_per_tok=2, num_hidden_layers=1,
            num_attention_heads=2, experts_implementation="eager"))
        e, r = self.module.experts, self.module.router
        self.parameters = {"router.weight": r.weight, "router.bias": r.bias, "gate_up_proj": e.gate_up_proj,
                           "gate_up_bias": e.gate_up_proj_bias, "down_proj": e.down_proj, "down_bias": e.down_proj_bias}
        self.buffers = {}
        self.deviation = {"gate_up_proj": 5 * 18 ** -0.5, "gate_up_bias": 2.0, "down_proj": 0.1, "down_bias": 0.5}

    def routed(self, x):
        logits, weights, indices = self.module.router(x)
        return logits, weights, indices

    def run(self, x):
        return self.module(x[None])[0][0]

    def clear(self, x):
        """Both sides of both clamps take part, and nothing lies so near that rounding could cross."""
        _, _, indices = self.module.router(x)
        e = self.module.experts
        values = torch.cat([x[t] @ e.gate_up_proj[i] + e.gate_up_proj_bias[i]
                            for t in range(len(x)) for i in indices[t]]).view(-1, 2)
        gate, up = values[:, 0], values[:, 1]
        near = (values.abs() - 7).abs().min() < 1e-3
        return not near and bool((gate > 7).any() and (gate < -7).any() and (up > 7).any() and (up < -7).any())


class llama4:
    """The best expert of a token, its input times sigmoid(logit); a shared expert; weights [E,H,2F] and [E,F,H]."""

    seed, tokens, hidden = 5200, 11, 14
    probe = dict(top_k=1, score="sigmoid", activation="swiglu")

    def __init__(self):
        self.module = Llama4TextMoe(Llama4TextConfig(
            hidden_size=14, intermediate_size=7, intermediate_size_mlp=7, num_local_experts=5, num_experts_per_tok=1,
            num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2))
        m = self.module
        self.parameters = {"router.weight": m.router.weight, "gate_up_proj": m.experts.gate_up_proj,
                           "down_proj": m.experts.down_proj, "shared.gate_proj": m.shared_expert.gate_proj.weight,
                           "shared.up_proj": m.shared_expert.up_proj.weight,
                           "shared.down_proj": m.shared_expert.down_proj.weight}
        self.buffers = {}
        self.deviation = {"down_proj": 0.5}

    def routed(self, x):
        scores, logits = self.module.router(x)
        weights, indices = scores.max(dim=-1, keepdim=True)
        return logits, weights, indices

    def run(self, x):
        return self.module(x)[0]

    def clear(self, x):
        return True


class longcat:
    """Five experts and three that give back what they get; softmax over all, correction bias, a scale; [E,2F,H]."""

    seed, tokens, hidden = 5300, 14, 16
    probe = dict(top_k=3, score="softmax", score_order="pre", scale=6.0, activation="swiglu")
    experts = 5

    def __init__(self):
        self.module = LongcatFlashMoE(LongcatFlashConfig(
            hidden_size=16, expert_ffn_hidden_size=6, n_routed_experts=5, zero_expert_num=3, moe_topk=3,
            routed_scaling_factor=6.0, num_layers=1, num_attention_heads=2))
        m = self.module
        self.parameters = {"router.weight": m.router.classifier.weight, "gate_up_proj": m.experts.gate_up_proj,
                           "down_proj": m.experts.down_proj}
        self.buffers = {"expert_bias": m.router.e_score_correction_bias}
        self.deviation = {"expert_bias": 0.03, "down_proj": 0.5}

    def routed(self, x):
        return self.module.router(x)

    def run(self, x):
        return self.module(x[None])[0]

    def clear(self, x):
        """Every kind of token takes part: with, without and with nothing but experts that give back their input."""
        _, _, indices = self.module.router(x)
        zero = (indices >= self.experts).sum(-1)
        return bool((zero == 0).any() and (zero == 1).any() and (zero == 3).any())


CASES = {"gpt_oss": gpt_oss, "llama4": llama4, "longcat": longcat}


def selection(case, logits):
    if "expert_bias" in case.buffers:
        return logits.softmax(-1) + case.buffers["expert_bias"]
    return logits


@torch.no_grad()
def fill(case, seed):
    gen = torch.Generator().manual_seed(seed)
    for name, t in (case.parameters | case.buffers).items():
        fan = t.shape[-2] if t.dim() == 3 and t.shape[-2] != case.hidden else t.shape[-1]
        t.copy_(torch.randn(t.shape, generator=gen) * case.deviation.get(name, fan ** -0.5))
    case.parameters["router.weight"].mul_(2)
    return torch.randn((case.tokens, case.hidden), generator=gen), torch.randn((case.tokens, case.hidden), generator=gen)


def make(name):
    case = CASES[name]()
    case.module.eval()
    for seed in range(case.seed, case.seed + 1000):
        x, dy = fill(case, seed)
        with torch.no_grad():
            logits, weights, indices = case.routed(x)
            value = selection(case, logits)
            margin = (gap_at(value, case.probe["top_k"]).min() / (value.max() - value.min())).item()
            if margin >= MARGIN and case.clear(x):
                break
    else:
        sys.exit(f"{name}: no seed")
    x.requires_grad_()
    y = case.run(x)
    found = gradients_of((y * dy).sum(), {"hidden": x, **case.parameters})
    order = value.gather(-1, indices).sort(dim=-1, descending=True).indices
    out = {"hidden": x.detach(), "grad_output": dy, "output": y.detach(),
           "indices": indices.gather(-1, order), "weights": weights.gather(-1, order)}
    out.update({n: t.detach().clone() for n, t in (case.parameters | case.buffers).items()})
    add(out, found)
    for prefix in ("", "grad."):  # two halves of one matrix
        if prefix + "shared.gate_proj" in out:
            out[prefix + "shared.gate_up_proj"] = torch.cat(
                [out.pop(prefix + "shared.gate_proj"), out.pop(prefix + "shared.up_proj")])
        if name == "longcat":  # the package keeps unused rows for the others
            rest = out[prefix + "gate_up_proj"][case.experts:]
            assert not prefix or not rest.any()
            out[prefix + "gate_up_proj"] = out[prefix + "gate_up_proj"][:case.experts].clone()
    meta = {"torch": torch.__version__, "transformers": transformers.__version__, "seed": str(seed),
            "margin": f"{margin:.6g}", "config": json.dumps(case.probe, sort_keys=True)}
    return {n: t.contiguous() for n, t in out.items()}, meta


def main():
    ap = argparse.ArgumentParser(description="Golden layers.")
    ap.add_argument("--check", action="store_true", help="only compare what is stored with the package")
    args = ap.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    LAYERS.mkdir(exist_ok=True)
    for name in CASES:
        out, meta = make(name)
        path = LAYERS / f"{name}.safetensors"
        if args.check:
            stored = load_file(path)
            assert set(stored) == set(out), name
            with safe_open(path, "pt") as f:
                assert f.metadata()["config"] == meta["config"], name
            error = max(((out[n] - t).abs().max() / (1 + t.abs().max())).item() for n, t in stored.items())
            assert error <= 1e-5, (name, error)
            print(f"{name}: largest relative difference {error:.3g}")
            continue
        write(out, path, metadata=meta)
        path.chmod(0o644)
        print(name, path.stat().st_size, meta, {n: tuple(t.shape) for n, t in out.items()})


if __name__ == "__main__":
    main()
