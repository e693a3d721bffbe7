#!/usr/bin/env python3
"""Write the golden checkpoints and reference values below tests/golden.

Tiny random models are built with the Hugging Face transformers package, saved
as ordinary checkpoint folders, loaded again from those folders, and run in
float32 with eager attention. See README.md for what every file holds.

    pip install -r requirements.txt
    python make_models.py                 # everything
    python make_models.py olmoe_odd       # only the named folders
    python make_models.py --check         # compare what is stored with the package
"""

import argparse
import json
import os
import shutil
import sys
import types
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, DeepseekV3Config, MixtralConfig, OlmoeConfig, Qwen3MoeConfig

from storage import write

HERE = Path(__file__).resolve().parent
MODELS = HERE / "models"

# Smallest accepted distance between the last selected and the first rejected
# selection value (of experts and of groups), as a part of the range of these
# values in that layer.
MARGIN = {"float32": 0.01, "bfloat16": 0.05}

CONFIGS = {"mixtral": MixtralConfig, "qwen3_moe": Qwen3MoeConfig, "olmoe": OlmoeConfig,
           "deepseek_v3": DeepseekV3Config}

# layout:  "published" = one tensor per expert, "merged" = the in-memory layout
# style:   "new"       = config.json as the pinned package writes it
#          "published" = the field names of the checkpoints that are on the hub
#          "sparse"    = published names, fields that equal the default left out
# shards:  number of weight files
# drop:    fields left out of config.json (style "sparse")
# bias:    mean of the correction bias of the experts (DeepSeek-V3)
SPECS = [
    # ---- Mixtral ---------------------------------------------------------
    dict(
        name="mixtral_h8", family="mixtral", seed=1100, batch=4, seq=9, style="new",
        config=dict(hidden_size=32, num_attention_heads=8, num_key_value_heads=8,
                    intermediate_size=22, num_local_experts=8, num_experts_per_tok=2,
                    num_hidden_layers=2, vocab_size=97, rms_norm_eps=1e-5, rope_theta=1e6),
    ),
    dict(
        name="mixtral_odd", family="mixtral", seed=1200, batch=3, seq=11, style="published", shards=2,
        config=dict(hidden_size=30, num_attention_heads=6, num_key_value_heads=3, head_dim=8,
                    intermediate_size=37, num_local_experts=5, num_experts_per_tok=3,
                    num_hidden_layers=2, vocab_size=131, rms_norm_eps=0.02, rope_theta=10000.0,
                    tie_word_embeddings=True),
    ),
    dict(
        name="mixtral_top1", family="mixtral", seed=1300, batch=4, seq=7, style="sparse",
        config=dict(hidden_size=24, num_attention_heads=4, num_key_value_heads=2,
                    intermediate_size=37, num_local_experts=6, num_experts_per_tok=1,
                    num_hidden_layers=2, vocab_size=101, rms_norm_eps=1e-5, rope_theta=1e6),
        drop=["head_dim", "rms_norm_eps", "rope_theta", "rope_scaling", "tie_word_embeddings",
              "sliding_window", "attention_dropout", "router_aux_loss_coef", "use_cache"],
    ),
    dict(
        name="mixtral_merged", family="mixtral", seed=1400, batch=3, seq=6, style="new", layout="merged",
        config=dict(hidden_size=24, num_attention_heads=4, num_key_value_heads=4,
                    intermediate_size=14, num_local_experts=5, num_experts_per_tok=2,
                    num_hidden_layers=2, vocab_size=53, rms_norm_eps=1e-5, rope_theta=50000.0),
    ),
    dict(
        name="mixtral_bf16", family="mixtral", seed=1500, batch=4, seq=8, style="published", dtype="bfloat16",
        config=dict(hidden_size=32, num_attention_heads=8, num_key_value_heads=4,
                    intermediate_size=22, num_local_experts=8, num_experts_per_tok=2,
                    num_hidden_layers=2, vocab_size=97, rms_norm_eps=1e-5, rope_theta=1e6),
    ),
    # ---- Qwen3-MoE -------------------------------------------------------
    dict(
        name="qwen3_moe_h8", family="qwen3_moe", seed=2100, batch=3, seq=8, style="new",
        config=dict(hidden_size=32, num_attention_heads=8, num_key_value_heads=8, head_dim=6,
                    intermediate_size=56, moe_intermediate_size=22, num_experts=10,
                    num_experts_per_tok=4, norm_topk_prob=True, num_hidden_layers=2,
                    vocab_size=97, rms_norm_eps=1e-6, rope_theta=1e6, attention_bias=True),
    ),
    dict(
        name="qwen3_moe_odd", family="qwen3_moe", seed=2200, batch=4, seq=9, style="published", shards=2,
        config=dict(hidden_size=24, num_attention_heads=6, num_key_value_heads=6, head_dim=8,
                    intermediate_size=53, moe_intermediate_size=37, num_experts=5,
                    num_experts_per_tok=3, norm_topk_prob=False, num_hidden_layers=3,
                    mlp_only_layers=[1], vocab_size=131, rms_norm_eps=0.01, rope_theta=10000.0,
                    tie_word_embeddings=True),
    ),
    dict(
        name="qwen3_moe_step2", family="qwen3_moe", seed=2300, batch=3, seq=10, style="sparse",
        config=dict(hidden_size=24, num_attention_heads=4, num_key_value_heads=1,
                    intermediate_size=45, moe_intermediate_size=22, num_experts=6,
                    num_experts_per_tok=1, norm_topk_prob=False, num_hidden_layers=4,
                    decoder_sparse_step=2, vocab_size=89, rms_norm_eps=1e-6, rope_theta=10000.0),
        drop=["head_dim", "norm_topk_prob", "rms_norm_eps", "rope_theta", "rope_scaling",
              "mlp_only_layers", "attention_bias", "tie_word_embeddings", "sliding_window",
              "use_sliding_window", "max_window_layers", "attention_dropout",
              "router_aux_loss_coef", "use_cache"],
    ),
    dict(
        name="qwen3_moe_demo", family="qwen3_moe", seed=2400, batch=4, seq=12, style="published",
        config=dict(hidden_size=40, num_attention_heads=8, num_key_value_heads=4, head_dim=8,
                    intermediate_size=80, moe_intermediate_size=20, num_experts=8,
                    num_experts_per_tok=2, norm_topk_prob=True, num_hidden_layers=3,
                    vocab_size=97, rms_norm_eps=1e-6, rope_theta=1e6),
    ),
    dict(
        name="qwen3_moe_merged", family="qwen3_moe", seed=2500, batch=3, seq=6, style="new", layout="merged",
        config=dict(hidden_size=24, num_attention_heads=4, num_key_value_heads=2, head_dim=10,
                    intermediate_size=40, moe_intermediate_size=14, num_experts=6,
                    num_experts_per_tok=3, norm_topk_prob=True, num_hidden_layers=2,
                    vocab_size=53, rms_norm_eps=1e-6, rope_theta=50000.0),
    ),
    dict(
        name="qwen3_moe_bf16", family="qwen3_moe", seed=2600, batch=4, seq=8, style="published", dtype="bfloat16",
        config=dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
                    intermediate_size=64, moe_intermediate_size=24, num_experts=8,
                    num_experts_per_tok=2, norm_topk_prob=True, num_hidden_layers=2,
                    vocab_size=97, rms_norm_eps=1e-6, rope_theta=1e6),
    ),
    # ---- OLMoE -----------------------------------------------------------
    dict(
        name="olmoe_h8", family="olmoe", seed=3100, batch=4, seq=9, style="new",
        config=dict(hidden_size=32, num_attention_heads=8, num_key_value_heads=8,
                    intermediate_size=22, num_experts=8, num_experts_per_tok=4,
                    norm_topk_prob=False, num_hidden_layers=2, vocab_size=97,
                    rms_norm_eps=1e-5, rope_theta=10000.0),
    ),
    dict(
        name="olmoe_odd", family="olmoe", seed=3200, batch=3, seq=10, style="published", shards=2,
        config=dict(hidden_size=24, num_attention_heads=6, num_key_value_heads=3,
                    intermediate_size=37, num_experts=5, num_experts_per_tok=1,
                    norm_topk_prob=False, num_hidden_layers=2, vocab_size=131,
                    rms_norm_eps=0.03, rope_theta=500000.0, attention_bias=True, clip_qkv=0.75),
    ),
    dict(
        name="olmoe_gqa", family="olmoe", seed=3300, batch=4, seq=7, style="published",
        config=dict(hidden_size=24, num_attention_heads=4, num_key_value_heads=2,
                    intermediate_size=40, num_experts=10, num_experts_per_tok=3,
                    norm_topk_prob=True, num_hidden_layers=2, vocab_size=113,
                    rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=True),
    ),
    dict(
        name="olmoe_bf16", family="olmoe", seed=3400, batch=4, seq=8, style="published", dtype="bfloat16",
        config=dict(hidden_size=32, num_attention_heads=8, num_key_value_heads=4,
                    intermediate_size=24, num_experts=6, num_experts_per_tok=2,
                    norm_topk_prob=False, num_hidden_layers=2, vocab_size=97,
                    rms_norm_eps=1e-5, rope_theta=10000.0),
    ),
    # ---- DeepSeek-V3 -----------------------------------------------------
    dict(
        name="deepseek_v3_h8", family="deepseek_v3", seed=4100, batch=3, seq=8, style="new", bias=0.1,
        config=dict(hidden_size=32, num_attention_heads=8, num_key_value_heads=8, q_lora_rank=12,
                    kv_lora_rank=10, qk_nope_head_dim=4, qk_rope_head_dim=4, v_head_dim=6,
                    intermediate_size=20, moe_intermediate_size=5, n_routed_experts=16,
                    n_shared_experts=1, num_experts_per_tok=4, n_group=8, topk_group=4,
                    norm_topk_prob=True, routed_scaling_factor=2.5, first_k_dense_replace=1,
                    num_hidden_layers=3, vocab_size=61, rms_norm_eps=1e-6, rope_theta=10000.0),
    ),
    dict(
        name="deepseek_v3_odd", family="deepseek_v3", seed=4200, batch=3, seq=9, style="published", shards=2,
        bias=-0.6,
        config=dict(hidden_size=24, num_attention_heads=6, num_key_value_heads=6, q_lora_rank=None,
                    kv_lora_rank=7, qk_nope_head_dim=6, qk_rope_head_dim=4, v_head_dim=5,
                    intermediate_size=37, moe_intermediate_size=9, n_routed_experts=15,
                    n_shared_experts=2, num_experts_per_tok=5, n_group=5, topk_group=3,
                    norm_topk_prob=False, routed_scaling_factor=1.7, first_k_dense_replace=1,
                    num_hidden_layers=2, vocab_size=67, rms_norm_eps=0.02, rope_theta=50000.0,
                    rope_interleave=False, attention_bias=True, tie_word_embeddings=True),
    ),
    dict(
        name="deepseek_v3_yarn", family="deepseek_v3", seed=4300, batch=2, seq=11, style="published",
        layout="merged", bias=0.0,
        config=dict(hidden_size=20, num_attention_heads=4, num_key_value_heads=4, q_lora_rank=9,
                    kv_lora_rank=8, qk_nope_head_dim=4, qk_rope_head_dim=8, v_head_dim=4,
                    intermediate_size=30, moe_intermediate_size=11, n_routed_experts=10,
                    n_shared_experts=1, num_experts_per_tok=3, n_group=1, topk_group=1,
                    norm_topk_prob=True, routed_scaling_factor=2.827, first_k_dense_replace=0,
                    num_hidden_layers=2, vocab_size=61, rms_norm_eps=1e-5, rope_theta=100.0,
                    attention_bias=True,
                    rope_scaling=dict(rope_type="yarn", factor=4.0, beta_fast=4.0, beta_slow=0.5,
                                      mscale=0.8, mscale_all_dim=1.2,
                                      original_max_position_embeddings=32)),
    ),
    dict(
        name="deepseek_v3_bf16", family="deepseek_v3", seed=4400, batch=2, seq=8, style="published",
        dtype="bfloat16", bias=0.05,
        config=dict(hidden_size=32, num_attention_heads=8, num_key_value_heads=8, q_lora_rank=10,
                    kv_lora_rank=9, qk_nope_head_dim=4, qk_rope_head_dim=4, v_head_dim=4,
                    intermediate_size=40, moe_intermediate_size=8, n_routed_experts=16,
                    n_shared_experts=1, num_experts_per_tok=4, n_group=8, topk_group=4,
                    norm_topk_prob=True, routed_scaling_factor=2.5, first_k_dense_replace=1,
                    num_hidden_layers=2, vocab_size=97, rms_norm_eps=1e-6, rope_theta=10000.0),
    ),
]


def make_config(spec):
    kw = dict(spec["config"])
    rope = {"rope_type": "default", **kw.pop("rope_scaling", {}), "rope_theta": kw.pop("rope_theta")}
    return CONFIGS[spec["family"]](
        max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=None,
        rope_parameters=rope, **kw)


@torch.no_grad()
def fill(model, gen, bias=0.0):
    """Random values everywhere: nothing is left at zero or one."""

    def normal(shape, std):
        return torch.randn(shape, generator=gen) * std

    for name, p in sorted(model.named_parameters()):
        if name.endswith("bias"):
            p.copy_(normal(p.shape, 0.3))
        elif "norm" in name:
            p.copy_(0.6 + 0.8 * torch.rand(p.shape, generator=gen))
        elif name == "model.embed_tokens.weight":
            p.copy_(normal(p.shape, 0.5))
        elif name.endswith("mlp.gate.weight"):
            p.copy_(normal(p.shape, 1.5 * p.shape[-1] ** -0.5))
        elif "down_proj" in name:
            p.copy_(normal(p.shape, 1.5 * p.shape[-1] ** -0.5))
        else:
            p.copy_(normal(p.shape, p.shape[-1] ** -0.5))
    for name, b in sorted(model.named_buffers()):
        if name.endswith("e_score_correction_bias"):
            b.copy_(bias + normal(b.shape, 0.2))


@torch.no_grad()
def forward(model, ids):
    """Logits [B,S,V] and {layer: router logits [B*S,E]}."""
    routers, hooks = {}, []
    for name, mod in model.named_modules():
        if name.endswith("mlp.gate"):
            layer = int(name.split(".")[2])
            hooks.append(mod.register_forward_hook(
                lambda m, i, o, layer=layer: routers.__setitem__(layer, o[0].float().clone())))
    try:
        logits = model(input_ids=ids, use_cache=False).logits.float().clone()
    finally:
        for h in hooks:
            h.remove()
    return logits, routers


def selection_values(model, layer, router_logits):
    """What the experts of a layer are selected by: [tokens, E]."""
    if model.config.model_type != "deepseek_v3":
        return router_logits
    return router_logits.sigmoid() + model.model.layers[layer].mlp.gate.e_score_correction_bias


def kept_groups(model, values):
    """The groups of experts a token may select from, bool [tokens, groups], and their scores."""
    scores = values.unflatten(-1, (model.config.n_group, -1)).topk(2, dim=-1).values.sum(-1)
    kept = torch.zeros_like(scores, dtype=torch.bool)
    return kept.scatter(-1, scores.topk(model.config.topk_group, dim=-1).indices, True), scores


def gap_at(values, k):
    """Distance between the k-th largest and the next, [tokens]."""
    top = values.sort(dim=-1, descending=True).values
    return top[:, k - 1] - top[:, k] if k < top.shape[-1] else torch.full_like(top[:, 0], torch.inf)


def masked(model, values, fill):
    """The values with those of rejected groups replaced."""
    kept, _ = kept_groups(model, values)
    return values.masked_fill(~kept.repeat_interleave(values.shape[-1] // kept.shape[-1], dim=-1), fill)


def chosen(model, values, fill=-torch.inf):
    """The experts of every token in ascending order, [tokens, k]."""
    if model.config.model_type == "deepseek_v3":
        values = masked(model, values, fill)
    return values.topk(model.config.num_experts_per_tok).indices.sort(-1).values


def gaps(model, values):
    k = model.config.num_experts_per_tok
    if model.config.model_type != "deepseek_v3":
        return gap_at(values, k)
    _, scores = kept_groups(model, values)
    return torch.minimum(gap_at(scores, model.config.topk_group), gap_at(masked(model, values, -torch.inf), k))


def ranges(routers):
    return {n: (r.max() - r.min()).item() for n, r in routers.items()}


def selections(model, routers):
    return {n: selection_values(model, n, r) for n, r in routers.items()}


def margin_of(model, routers):
    values = selections(model, routers)
    rng = ranges(values)
    return min((gaps(model, v).min().item() / rng[n]) for n, v in values.items())


def same_with_zero_mask(model, routers):
    """Whether 0.0 in place of -inf for rejected groups would select the same experts."""
    return all(torch.equal(chosen(model, v), chosen(model, v, 0.0)) for v in selections(model, routers).values())


def choose_tokens(model, spec, target, gen):
    """Draws tokens left to right, only among those that keep the routing clear of ties.

    Attention is causal, so a token never changes the routing of an earlier one.
    """
    b, s, v = spec["batch"], spec["seq"], model.config.vocab_size
    _, probe = forward(model, torch.randint(v, (b, s), generator=gen))
    rng = ranges(selections(model, probe))
    rows = []
    for row in range(b):
        prefix = torch.empty(0, dtype=torch.long)
        for pos in range(s):
            ids = torch.cat([prefix.expand(v, -1), torch.arange(v)[:, None]], dim=1)
            _, routers = forward(model, ids)
            ok = torch.ones(v, dtype=torch.bool)
            for n, r in routers.items():
                last = selection_values(model, n, r.view(v, pos + 1, -1)[:, -1])
                ok &= gaps(model, last) >= 1.1 * target * rng[n]
            ok[prefix] = False  # no token twice in a row of the batch
            good = ok.nonzero().flatten()
            if len(good) == 0:
                return None
            pick = good[torch.randint(len(good), (1,), generator=gen)]
            if pos == 0 and row < 2:  # both ends of the vocabulary take part
                edge = (v - 1, 0)[row]
                if ok[edge]:
                    pick = torch.tensor([edge])
            prefix = torch.cat([prefix, pick])
        rows.append(prefix)
    return torch.stack(rows)


def published_config(cfg, spec):
    """The same configuration with the field names of the checkpoints on the hub."""
    c = dict(cfg)
    rope = c.pop("rope_parameters")
    c["rope_theta"] = rope["rope_theta"]
    if spec["family"] != "mixtral":
        c["rope_scaling"] = None
        if "num_local_experts" in c:
            c["num_experts"] = c.pop("num_local_experts")
    if spec["family"] == "deepseek_v3":
        if rope["rope_type"] != "default":
            c["rope_scaling"] = {"type": rope["rope_type"], **{n: rope[n] for n in sorted(rope) if "rope_t" not in n}}
        c.pop("head_dim", None)
        c.pop("qk_head_dim", None)
        if c["rope_interleave"]:
            del c["rope_interleave"]
        c.update(ep_size=1, moe_layer_freq=1, scoring_func="sigmoid", topk_method="noaux_tc")
    if spec["family"] == "qwen3_moe":
        c["max_window_layers"] = c["num_hidden_layers"]
    if c.get("head_dim", 0) is None:
        del c["head_dim"]
    c["torch_dtype"] = c.pop("dtype")
    for key in spec.get("drop", []):
        c.pop(key, None)
    return dict(sorted(c.items()))


def load(folder, dtype=torch.float32):
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", experts_implementation="eager")
    return model.eval()


def save_checkpoint(model, spec, folder):
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    kw = dict(save_original_format=spec.get("layout", "published") == "published")
    bytes_total = sum(p.numel() * p.element_size() for p in model.parameters())
    shards = spec.get("shards", 1)
    kw["max_shard_size"] = bytes_total * 6 // 10 if shards == 2 else "1GB"
    model.save_pretrained(folder, **kw)
    (folder / "generation_config.json").unlink(missing_ok=True)
    found = len(list(folder.glob("*.safetensors")))
    assert found == shards, (spec["name"], found)
    path = folder / "config.json"
    cfg = json.loads(path.read_text())
    if spec["style"] != "new":
        cfg = published_config(cfg, spec)
    path.write_text(json.dumps(cfg, indent=2) + "\n")


def build(spec):
    dtype = spec.get("dtype", "float32")
    target = MARGIN[dtype]
    folder = MODELS / spec["name"]
    config = make_config(spec)
    for seed in range(spec["seed"], spec["seed"] + 100):
        gen = torch.Generator().manual_seed(seed)
        model = AutoModelForCausalLM.from_config(
            config, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager").eval()
        fill(model, gen, spec.get("bias", 0.0))
        if dtype == "bfloat16":
            with torch.no_grad():
                for p in model.parameters():
                    p.copy_(p.bfloat16().float())
        ids = choose_tokens(model, spec, target, gen)
        if ids is None:
            continue
        logits, routers = forward(model, ids)
        if margin_of(model, routers) >= target:
            break
    else:
        sys.exit(f"{spec['name']}: no seed with a router margin of {target}")

    if dtype == "bfloat16":
        saved = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
        for (_, to), (_, of) in zip(saved.named_modules(), model.named_modules()):
            if hasattr(of, "e_score_correction_bias"):  # stays float32, as in the published checkpoints
                to.e_score_correction_bias = torch.nn.Buffer(of.e_score_correction_bias.clone())
        saved.load_state_dict({k: t if k.endswith("e_score_correction_bias") else t.bfloat16()
                               for k, t in model.state_dict().items()})
    else:
        saved = model
    save_checkpoint(saved, spec, folder)

    # The reference is made by what a user does: load the folder, run it.
    fresh = load(folder)
    ref, ref_routers = forward(fresh, ids)
    assert torch.equal(ref, logits), spec["name"]
    assert ref_routers.keys() == routers.keys()
    assert all(torch.equal(ref_routers[n], routers[n]) for n in routers)

    rng = ranges(ref_routers)
    meta = {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "seed": str(seed),
        "weights_dtype": dtype,
        "compute_dtype": "float32",
        "attention": "eager",
        "router_margin": f"{margin_of(fresh, ref_routers):.6g}",
        "logit_range": f"{(ref.max() - ref.min()).item():.6g}",
    }
    for n in sorted(rng):
        meta[f"router_logit_range.{n}"] = f"{rng[n]:.6g}"
    if spec["family"] == "deepseek_v3":
        meta["zero_mask_same_experts"] = "true" if same_with_zero_mask(fresh, ref_routers) else "false"
    if dtype == "bfloat16":
        low, low_routers = forward(load(folder, torch.bfloat16), ids)
        low_values, values = selections(fresh, low_routers), selections(fresh, ref_routers)
        same = all(torch.equal(chosen(fresh, low_values[n]), chosen(fresh, values[n])) for n in values)
        meta["bfloat16_run_max_abs_diff"] = f"{(low - ref).abs().max().item():.6g}"
        meta["bfloat16_run_same_experts"] = "true" if same else "false"
    out = {"logits": ref.contiguous()}
    out.update({f"router_logits.{n}": r.contiguous() for n, r in sorted(ref_routers.items())})
    write(out, folder / "reference.safetensors", metadata=meta)
    write({"input_ids": ids.contiguous()}, folder / "tokens.safetensors")
    for path in folder.iterdir():
        path.chmod(0o644)
    return meta


def check(spec):
    """Loads a stored folder and compares with the stored reference."""
    folder = MODELS / spec["name"]
    ids = load_file(folder / "tokens.safetensors")["input_ids"]
    stored = load_file(folder / "reference.safetensors")
    model = load(folder)
    logits, routers = forward(model, ids)
    assert set(stored) == {"logits"} | {f"router_logits.{n}" for n in routers}, spec["name"]
    err = (logits - stored["logits"]).abs().max().item()
    for n, r in routers.items():
        err = max(err, (r - stored[f"router_logits.{n}"]).abs().max().item())
    assert err <= 1e-4, (spec["name"], err)
    margin = margin_of(model, routers)
    assert margin >= 0.99 * MARGIN[spec.get("dtype", "float32")], (spec["name"], margin)
    return err


# ---- routers ---------------------------------------------------------------

def route(logits, k, mode):
    base = mode.removesuffix("_scaled")
    if base == "topk_softmax":
        values, indices = torch.topk(logits, k, dim=-1)
        weights = torch.softmax(values, dim=-1)
    else:
        weights, indices = torch.topk(torch.softmax(logits, dim=-1), k, dim=-1)
        if base == "softmax_topk_norm":
            weights = weights / weights.sum(dim=-1, keepdim=True)
    return indices, weights


def package_route(logits, k, mode):
    """The same by the package's own router modules (identity projection)."""
    from transformers.models.gpt_oss.modeling_gpt_oss import GptOssTopKRouter
    from transformers.models.mixtral.modeling_mixtral import MixtralTopKRouter
    from transformers.models.olmoe.modeling_olmoe import OlmoeTopKRouter
    from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeTopKRouter

    e = logits.shape[-1]
    classes = {"softmax_topk": [OlmoeTopKRouter, Qwen3MoeTopKRouter],
               "softmax_topk_norm": [OlmoeTopKRouter, Qwen3MoeTopKRouter, MixtralTopKRouter],
               "topk_softmax": [GptOssTopKRouter]}[mode.removesuffix("_scaled")]
    cfg = types.SimpleNamespace(num_experts=e, num_local_experts=e, num_experts_per_tok=k, hidden_size=e,
                                norm_topk_prob="norm" in mode)
    for cls in classes:
        router = cls(cfg)
        with torch.no_grad():
            router.weight.copy_(torch.eye(e))
            _, weights, indices = router(logits)
        yield cls.__name__, indices, weights


ROUTER_SHAPES = [  # tokens, experts, selected, offset added to every logit
    (16, 8, 2, 0.0), (7, 5, 3, 0.0), (12, 10, 4, 0.0), (9, 6, 1, 0.0), (5, 4, 4, 0.0), (6, 7, 3, 100.0),
]
ROUTER_MODES = {"softmax_topk": 1.0, "softmax_topk_norm": 1.0, "topk_softmax": 1.0,
                "softmax_topk_scaled": 2.5, "softmax_topk_norm_scaled": 2.5, "topk_softmax_scaled": 0.75}


def build_routers():
    out = {}
    meta = {"torch": torch.__version__, "transformers": transformers.__version__}
    for t, e, k, offset in ROUTER_SHAPES:
        shape = f"t{t}e{e}k{k}"
        for seed in range(1000):
            gen = torch.Generator().manual_seed(7000 + 100 * e + seed)
            logits = torch.randn((t, e), generator=gen) * 2 + offset
            ordered = logits.sort(-1, descending=True).values
            if (ordered[:, :-1] - ordered[:, 1:]).min() > 0.005:
                break
        else:
            sys.exit(f"routers: no seed for {shape}")
        out[f"{shape}.logits"] = logits
        for mode, scale in ROUTER_MODES.items():
            indices, weights = route(logits, k, mode)
            for name, p_indices, p_weights in package_route(logits, k, mode):
                assert torch.equal(p_indices, indices), (shape, mode, name)
                assert torch.allclose(p_weights, weights, rtol=1e-6, atol=0), (shape, mode, name)
            out[f"{shape}.{mode}.indices"] = indices.contiguous()
            out[f"{shape}.{mode}.weights"] = (weights * scale).contiguous()
            meta[f"scale.{mode}"] = repr(scale)
    write(out, HERE / "routers.safetensors", metadata=meta)
    (HERE / "routers.safetensors").chmod(0o644)


# ---- report ----------------------------------------------------------------

def table():
    head = ["folder", "H", "heads/kv", "head_dim", "F (dense)", "E", "top-k", "norm", "V", "layers",
            "B x S", "weights", "files", "config", "KB", "margin", "logit range"]
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for spec in SPECS:
        folder = MODELS / spec["name"]
        cfg = make_config(spec)
        with safe_open(folder / "reference.safetensors", "pt") as f:
            meta = f.metadata()
        size = sum(p.stat().st_size for p in folder.iterdir())
        ffn = cfg.intermediate_size
        if spec["family"] == "qwen3_moe":
            dense = [i for i in range(cfg.num_hidden_layers)
                     if i in cfg.mlp_only_layers or (i + 1) % cfg.decoder_sparse_step]
            ffn = str(cfg.moe_intermediate_size)
            if dense:
                ffn += f" ({cfg.intermediate_size}: layers {', '.join(map(str, dense))})"
        head_dim = getattr(cfg, "head_dim", None) or cfg.hidden_size // cfg.num_attention_heads
        norm = "always" if spec["family"] == "mixtral" else ("yes" if cfg.norm_topk_prob else "no")
        if spec["family"] == "deepseek_v3":
            head_dim = f"{cfg.qk_nope_head_dim}+{cfg.qk_rope_head_dim}, v {cfg.v_head_dim}"
            ffn = str(cfg.moe_intermediate_size)
            if cfg.first_k_dense_replace:
                ffn += f" ({cfg.intermediate_size}: layer 0)"
        row = [f"`{spec['name']}`", cfg.hidden_size, f"{cfg.num_attention_heads}/{cfg.num_key_value_heads}",
               head_dim, ffn, getattr(cfg, "n_routed_experts", 0) or cfg.num_experts, cfg.num_experts_per_tok, norm, cfg.vocab_size,
               cfg.num_hidden_layers, f"{spec['batch']} x {spec['seq']}",
               "BF16" if spec.get("dtype") == "bfloat16" else "F32",
               f"{spec.get('shards', 1)}" + (", merged" if spec.get("layout") == "merged" else ""),
               spec["style"], (size + 999) // 1000, f"{float(meta['router_margin']):.4f}",
               f"{float(meta['logit_range']):.2f}"]
        print("| " + " | ".join(map(str, row)) + " |")


def main():
    ap = argparse.ArgumentParser(description="Golden checkpoints and reference values.")
    ap.add_argument("names", nargs="*", help="folders to make (default: all, and routers.safetensors)")
    ap.add_argument("--check", action="store_true", help="only compare what is stored with the package")
    ap.add_argument("--table", action="store_true", help="only print the table of the README")
    args = ap.parse_args()
    unknown = set(args.names) - {s["name"] for s in SPECS}
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if args.table:
        return table()
    for spec in SPECS:
        if args.names and spec["name"] not in args.names:
            continue
        if args.check:
            print(f"{spec['name']}: largest difference {check(spec):.3g}")
        else:
            print(spec["name"], build(spec), flush=True)
    if not args.names and not args.check:
        build_routers()
    if not args.check:
        table()


if __name__ == "__main__":
    main()
