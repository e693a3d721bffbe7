#!/usr/bin/env python3
"""Write golden gradients of the stored models below tests/golden/gradients.

Every model folder is loaded in float32, run on its tokens, and its first
mixture-of-experts block is run again on twelve of the rows that entered it,
forward and backward by torch autograd. See README.md for what a file holds.

    python make_gradients.py              # every model
    python make_gradients.py olmoe_odd    # only the named models
    python make_gradients.py --check      # compare what is stored with the package
"""

import argparse
import json
import sys

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file

from make_models import HERE, MODELS, SPECS, load, masked, selection_values, write

GRADIENTS = HERE / "gradients"
ROWS = 12
# Models that also give gradients of an embedding, of a dense MLP, of a pair of projections, of the latents of keys and
# values.
EMBEDDING = {"mixtral_merged", "qwen3_moe_merged", "deepseek_v3_odd"}
DENSE = {"qwen3_moe_odd", "deepseek_v3_odd"}
PAIR = {"qwen3_moe_h8", "olmoe_odd"}
LATENT = {"deepseek_v3_h8", "deepseek_v3_odd"}


def seeded(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def gradients_of(loss, named):
    """{name: gradient}, zero where a tensor took no part."""
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return {n: torch.zeros_like(t) if g is None else g for (n, t), g in zip(named.items(), found)}


def add(out, gradients, prefix="grad."):
    out.update({prefix + n: g.detach().contiguous() for n, g in gradients.items()})


def entering_rows(model, layer, ids):
    """ROWS of the rows that enter the block's norm, over all sequences."""
    kept = []
    hook = layer.post_attention_layernorm.register_forward_pre_hook(lambda m, args: kept.append(args[0].detach()))
    with torch.no_grad():
        model(input_ids=ids, use_cache=False)
    hook.remove()
    rows = kept[0].flatten(0, 1)
    return rows[torch.linspace(0, len(rows) - 1, ROWS).round().long()].clone()


def config_of(config):
    """The routing of the block in the fields of the configuration of examples/moe_layer."""
    result = dict(top_k=config.num_experts_per_tok, score="softmax", score_order="pre",
                  normalize=config.model_type == "mixtral" or config.norm_topk_prob)
    if config.model_type == "deepseek_v3":
        result.update(score="sigmoid", scale=config.routed_scaling_factor, groups=config.n_group,
                      groups_kept=config.topk_group, group_score="top2")
    return result


def block(model, number, layer, residual, dy, out):
    """norm -> mixture of experts, with every gradient."""
    mlp, norm = layer.mlp, layer.post_attention_layernorm
    residual.requires_grad_()
    hidden = norm(residual)
    routed = []
    hook = mlp.gate.register_forward_hook(lambda m, i, o: routed.append([t.detach() for t in o]))
    y = mlp(hidden[None])[0]
    hook.remove()
    logits, weights, indices = routed[0]
    value = selection_values(model, number, logits)
    if model.config.model_type == "deepseek_v3":
        value = masked(model, value, -torch.inf)
    order = value.gather(-1, indices).sort(dim=-1, descending=True).indices
    named = {"residual": residual, "norm.weight": norm.weight, "hidden": hidden, "router.weight": mlp.gate.weight,
             "gate_up_proj": mlp.experts.gate_up_proj, "down_proj": mlp.experts.down_proj}
    shared = getattr(mlp, "shared_experts", None)
    if shared is not None:
        named.update({"gate": shared.gate_proj.weight, "up": shared.up_proj.weight,
                      "shared.down_proj": shared.down_proj.weight})
    gradients = gradients_of((y * dy).sum(), named)
    if shared is not None:
        gradients["shared.gate_up_proj"] = torch.cat([gradients.pop("gate"), gradients.pop("up")])
    out.update({"residual": residual.detach(), "hidden": hidden.detach(), "grad_output": dy, "output": y.detach(),
                "indices": indices.gather(-1, order), "weights": weights.gather(-1, order)})
    add(out, gradients)


def dense(mlp, x, dy, out):
    y = mlp(x[None])[0]
    found = gradients_of((y * dy).sum(), {"hidden": x, "gate": mlp.gate_proj.weight, "up": mlp.up_proj.weight,
                                          "down_proj": mlp.down_proj.weight})
    found["gate_up_proj"] = torch.cat([found.pop("gate"), found.pop("up")])
    out["dense.output"] = y.detach()
    add(out, found, "grad.dense.")


def pair(attention, x, dy, out):
    """o_proj(q_proj(x)): columns, then rows, with biases where the model has them."""
    first, second = attention.q_proj, attention.o_proj
    y = second(first(x))
    named = {"hidden": x}
    for name, module in (("q_proj", first), ("o_proj", second)):
        named.update({f"{name}.{n}": p for n, p in module.named_parameters()})
    out["pair.output"] = y.detach()
    add(out, gradients_of((y * dy).sum(), named), "grad.pair.")


def latent(attention, x, seed, out):
    """kv_b_proj(kv_a_layernorm(first columns of kv_a_proj_with_mqa(x))), and its last columns, which all heads share."""
    both = attention.kv_a_proj_with_mqa(x)
    narrow, rope = both.split([attention.kv_lora_rank, attention.qk_rope_head_dim], dim=-1)
    wide = attention.kv_b_proj(attention.kv_a_layernorm(narrow))
    d_wide, d_rope = seeded(wide.shape, seed), seeded(rope.shape, seed + 1)
    named = {"hidden": x}
    for name in ("kv_a_proj_with_mqa", "kv_a_layernorm", "kv_b_proj"):
        named.update({f"{name}.{n}": p for n, p in getattr(attention, name).named_parameters()})
    out.update({"latent.kv": wide.detach(), "latent.rope": rope.detach().contiguous(),
                "latent.grad_kv": d_wide, "latent.grad_rope": d_rope})
    add(out, gradients_of((wide * d_wide).sum() + (rope * d_rope).sum(), named), "grad.latent.")


def embedding(table, ids, dy, out):
    """Gradient of the table; some tokens occur twice."""
    flat = ids.flatten()
    chosen = torch.cat([flat[:ROWS - 4], flat[1:5]])
    out["embedding.ids"] = chosen
    add(out, gradients_of((table(chosen) * dy).sum(), {"weight": table.weight}), "grad.embedding.")


def make(spec):
    folder = MODELS / spec["name"]
    seed = 100000 + spec["seed"]
    model = load(folder)
    ids = load_file(folder / "tokens.safetensors")["input_ids"]
    layers = model.model.layers
    number = next(i for i, layer in enumerate(layers) if hasattr(layer.mlp, "experts"))
    plain = [i for i, layer in enumerate(layers) if not hasattr(layer.mlp, "experts")]
    dy = seeded((ROWS, model.config.hidden_size), seed)
    out = {}
    block(model, number, layers[number], entering_rows(model, layers[number], ids), dy, out)
    x = out["hidden"].clone().requires_grad_()
    meta = {"torch": torch.__version__, "transformers": transformers.__version__, "seed": str(seed),
            "layer": str(number), "config": json.dumps(config_of(model.config), sort_keys=True)}
    if spec["name"] in DENSE:
        meta["dense_layer"] = str(plain[0])
        dense(layers[plain[0]].mlp, x, dy, out)
    attention = layers[number].self_attn
    if spec["name"] in PAIR:
        pair(attention, x, dy, out)
    if spec["name"] in LATENT:
        latent(attention, x, seed + 1, out)
    if spec["name"] in EMBEDDING:
        embedding(model.model.embed_tokens, ids, dy, out)
    return out, meta


def check(spec):
    made, meta = make(spec)
    path = GRADIENTS / f"{spec['name']}.safetensors"
    stored = load_file(path)
    assert set(made) == set(stored), spec["name"]
    with safe_open(path, "pt") as f:
        assert all(f.metadata()[n] == meta[n] for n in ("layer", "config")), spec["name"]
    for n in ("indices", "embedding.ids"):
        assert n not in made or torch.equal(made[n], stored[n]), (spec["name"], n)
    return max(((made[n] - t).abs().max() / (1 + t.abs().max())).item() for n, t in stored.items())


def main():
    ap = argparse.ArgumentParser(description="Golden gradients.")
    ap.add_argument("names", nargs="*", help="models (default: all)")
    ap.add_argument("--check", action="store_true", help="only compare what is stored with the package")
    args = ap.parse_args()
    unknown = set(args.names) - {s["name"] for s in SPECS}
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    GRADIENTS.mkdir(exist_ok=True)
    for spec in SPECS:
        if args.names and spec["name"] not in args.names:
            continue
        if args.check:
            error = check(spec)
            assert error <= 1e-5, (spec["name"], error)
            print(f"{spec['name']}: largest relative difference {error:.3g}")
            continue
        out, meta = make(spec)
        path = GRADIENTS / f"{spec['name']}.safetensors"
        write(out, path, metadata=meta)
        path.chmod(0o644)
        print(spec["name"], path.stat().st_size, meta["config"])


if __name__ == "__main__":
    main()
