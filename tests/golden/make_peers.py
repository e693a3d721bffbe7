#!/usr/bin/env python3
"""Write what the functions of Megatron-Core and torchtitan give, below tests/golden/peers.

Routing, losses, capacity, permutation and the update of the expert bias: the
functions of both packages that run on a CPU, called as they are. See README.md
for what a file holds.

    python make_peers.py                  # both files
    python make_peers.py --check          # compare what is stored with the packages
"""

import argparse
import json
import types
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import megatron.core
import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.transformer.moe import moe_utils
from megatron.core.transformer.moe.router import TopKRouter
from safetensors.torch import load_file
from torchtitan.components.optimizer.optimizer import register_moe_load_balancing_hook
from torchtitan.models.common.linear import Linear
from torchtitan.models.common.moe import TokenChoiceTopKRouter
from torchtitan.models.common.token_dispatcher import AllToAllTokenDispatcher, LocalTokenDispatcher

from storage import write

HERE = Path(__file__).resolve().parent
MARGIN = 0.01  # distance of the selection values of a token, as a part of their range


def normal(gen, *shape):
    return torch.randn(shape, generator=gen)


def spread(gen, tokens, experts, scale=1.5):
    """Random logits of which no two of a token are near each other."""
    while True:
        logits = normal(gen, tokens, experts) * scale
        ordered = logits.sort(-1).values
        if (ordered[:, 1:] - ordered[:, :-1]).min() > 0.004:
            return logits


def distances(values):
    ordered = values.sort(-1).values
    return ((ordered[..., 1:] - ordered[..., :-1]).min() / (values.max() - values.min())).item()


class file:
    """Tensors of one file, by `case.name`, and the settings of every case as JSON."""

    def __init__(self):
        self.tensors, self.meta = {}, {"torch": torch.__version__}

    def add(self, case, config, **tensors):
        self.meta[f"config.{case}"] = json.dumps(config, sort_keys=True)
        for name, t in tensors.items():
            assert f"{case}.{name}" not in self.tensors
            self.tensors[f"{case}.{name}"] = t.detach().clone().contiguous()


# ---- Megatron-Core ---------------------------------------------------------

# name: tokens, experts, keyword arguments of the package, the same in the fields of examples/moe_layer, bias
MEGATRON_ROUTING = {
    "softmax_post": (9, 7, dict(topk=3), dict(score="softmax", score_order="post"), False),
    "softmax_pre": (9, 7, dict(topk=3, use_pre_softmax=True, scaling_factor=2.5),
                    dict(score="softmax", score_order="pre", scale=2.5), False),
    "sigmoid": (8, 6, dict(topk=3, score_function="sigmoid", scaling_factor=1.5),
                dict(score="sigmoid", normalize=True, scale=1.5), False),
    "sigmoid_top1": (8, 6, dict(topk=1, score_function="sigmoid"), dict(score="sigmoid"), False),
    "sigmoid_bias": (11, 8, dict(topk=4, score_function="sigmoid", scaling_factor=2.0),
                     dict(score="sigmoid", normalize=True, scale=2.0), True),
    "sigmoid_bias_groups": (12, 12, dict(topk=4, score_function="sigmoid", num_groups=4, group_topk=2),
                            dict(score="sigmoid", normalize=True, groups=4, groups_kept=2, group_score="topm"), True),
    "sigmoid_groups_max": (7, 9, dict(topk=3, score_function="sigmoid", num_groups=3, group_topk=2),
                           dict(score="sigmoid", normalize=True, groups=3, groups_kept=2, group_score="topm"), False),
    "softmax_pre_groups": (9, 10, dict(topk=4, use_pre_softmax=True, num_groups=5, group_topk=2),
                           dict(score="softmax", groups=5, groups_kept=2, group_score="topm"), False),
    "softmax_post_groups": (9, 10, dict(topk=4, num_groups=5, group_topk=3),
                            dict(score="softmax", score_order="post", groups=5, groups_kept=3, group_score="topm"),
                            False),
}


def megatron_routing(out, gen):
    for name, (t, e, arguments, config, biased) in MEGATRON_ROUTING.items():
        while True:
            logits, bias = spread(gen, t, e).requires_grad_(), normal(gen, e) * 0.3
            value = logits.detach().sigmoid() + bias if biased else logits.detach()
            if biased and distances(value) < 0.0005:
                continue
            groups = arguments.get("num_groups")
            if groups:
                scored = logits.detach() if config.get("score_order") == "post" else (
                    logits.detach().softmax(-1) if config["score"] == "softmax" else logits.detach().sigmoid())
                scored = scored + bias if biased else scored
                m = arguments["topk"] // arguments["group_topk"]
                if distances(scored.view(t, groups, -1).topk(m, dim=-1).values.sum(-1)) < 0.0005:
                    continue
            break
        probs, chosen = moe_utils.topk_routing_with_score_function(logits, expert_bias=bias if biased else None,
                                                                   **arguments)
        d_probs = normal(gen, t, e)
        (d_logits,) = torch.autograd.grad((probs * d_probs).sum(), logits)
        more = {"expert_bias": bias} if biased else {}
        out.add(f"routing.{name}", {"top_k": arguments["topk"], **config}, logits=logits, probs=probs, map=chosen,
                grad_probs=d_probs, **{"grad.logits": d_logits}, **more)


def megatron_losses(out, gen):
    """The router's own methods, on a router that is nothing but their settings."""
    group = dist.group.WORLD
    for name, score, tokens, k, padded, sequence in (
            ("aux", "softmax", 12, 3, False, None), ("aux_sigmoid", "sigmoid", 12, 2, False, None),
            ("aux_padded", "softmax", 12, 2, True, None), ("aux_sequence", "softmax", 12, 2, False, 4),
            ("aux_sequence_sigmoid", "sigmoid", 15, 3, False, 5), ("aux_global", "softmax", 10, 2, False, None)):
        experts, coefficient = 6, 0.02
        logits = spread(gen, tokens, experts).requires_grad_()
        padding = torch.zeros(tokens, dtype=torch.bool)
        if padded:
            padding[[1, 6, 11]] = True
        losses = []
        router = types.SimpleNamespace(
            config=types.SimpleNamespace(num_moe_experts=experts, moe_router_fusion=False), topk=k,
            tp_cp_group=group, tp_dp_cp_group=group, get_aux_loss_coeff=lambda kind: coefficient,
            global_tokens_per_expert=torch.zeros(experts), ga_steps=torch.tensor(0.0),
            attach_and_log_load_balancing_loss=lambda probs, c, loss, *a, **kw: losses.append(loss))
        rows = logits
        if sequence:  # the package's order is position-major
            rows = logits.view(-1, sequence, experts).transpose(0, 1).reshape(tokens, experts)
        chosen, scores = moe_utils.compute_routing_scores_for_aux_loss(
            rows, k, score, padding_mask=padding if padded else None)
        more = {"padding_mask": padding} if padded else {}
        config = dict(top_k=k, score=score, aux_loss_coeff=coefficient,
                      aux_loss="sequence" if sequence else "megatron")
        if sequence:
            config["sequence_length"] = sequence
            TopKRouter._apply_seq_aux_loss(router, scores, scores, chosen, sequence, tokens // sequence)
        elif name == "aux_global":
            earlier = torch.tensor([5.0, 1.0, 0.0, 7.0, 3.0, 4.0])  # counts of one step before this one
            router.global_tokens_per_expert, router.ga_steps = earlier.clone(), torch.tensor(1.0)
            more["earlier_counts"] = earlier
            TopKRouter._apply_global_aux_loss(router, scores, scores, chosen)
        else:
            TopKRouter._apply_aux_loss(router, scores, scores, chosen, with_padding_mask=padded)
        (d_logits,) = torch.autograd.grad(losses[0], logits)
        out.add(f"loss.{name}", config, logits=logits, loss=losses[0], **{"grad.logits": d_logits}, **more)
    for name, padded in (("z", False), ("z_padded", True)):
        logits = (normal(gen, 9, 5) * 2).requires_grad_()
        padding = torch.zeros(9, dtype=torch.bool)
        padding[[0, 4]] = padded
        loss = moe_utils.z_loss_func(logits, 0.003, padding if padded else None)
        (d_logits,) = torch.autograd.grad(loss, logits)
        out.add(f"loss.{name}", dict(z_loss_coeff=0.003), logits=logits, loss=loss, **{"grad.logits": d_logits},
                **({"padding_mask": padding} if padded else {}))


def megatron_sinkhorn(out, gen):
    for name, k in (("sinkhorn_top1", 1), ("sinkhorn_top2", 2)):
        while True:
            logits = normal(gen, 10, 5) * 1.2
            fixed_point = moe_utils.sinkhorn(logits)
            if distances(fixed_point) > 0.002:
                break
        router = types.SimpleNamespace(topk=k, training=True, config=types.SimpleNamespace(moe_aux_loss_coeff=0))
        probs, chosen = TopKRouter.sinkhorn_load_balancing(router, logits)
        out.add(name, dict(top_k=k, tolerance=1e-4), logits=logits, fixed_point=fixed_point, probs=probs, map=chosen)


def megatron_capacity(out, gen):
    for name, factor, policy, pad in (
            ("probability", 0.9, "probs", False), ("position", 0.8, "position", False),
            ("probability_padded", 1.1, "probs", True), ("roomy", 4.5, "probs", False)):
        t, e, k = (9, 5, 2) if policy == "position" else (13, 6, 2)
        capacity = moe_utils.get_capacity(t * k, e, factor)
        for _ in range(10000):
            logits = spread(gen, t, e)
            logits += torch.linspace(1.5, -1.5, e) if policy == "probs" else torch.eye(e)[1] * 2  # some are wanted more
            probs, chosen = moe_utils.topk_routing_with_score_function(logits, topk=k, use_pre_softmax=True)
            kept_probs, kept = moe_utils.apply_router_token_dropping(probs, chosen, k, factor, policy, pad)
            # The package leaves open which of equal entries it keeps by position. Here it keeps the first.
            first = chosen & (chosen.int().cumsum(0) <= capacity)
            if policy != "position" or (torch.equal(kept, first) and (chosen & ~kept).sum() >= 2):
                break
        else:
            raise SystemExit("capacity: the package never keeps the first")
        out.add(f"capacity.{name}", dict(top_k=k, score="softmax", capacity_factor=factor, pad_to_capacity=pad,
                                         drop="probability" if policy == "probs" else "position"),
                logits=logits, probs=probs, map=chosen, kept_probs=kept_probs, kept_map=kept,
                capacity=torch.tensor(capacity))


def megatron_permute(out, gen):
    t, e, k, h = 9, 5, 2, 4
    tokens, logits = normal(gen, t, h), spread(gen, t, e)
    probs, chosen = moe_utils.topk_routing_with_score_function(logits, topk=k, use_pre_softmax=True)
    rows, row_probs, order = moe_utils.permute(tokens, chosen, probs=probs, num_out_tokens=t * k)
    back = moe_utils.unpermute(rows * 2, order, tokens.shape, probs=probs, routing_map=chosen)
    out.add("permute", dict(top_k=k), tokens=tokens, probs=probs, map=chosen, rows=rows, row_probs=row_probs,
            order=order, unpermuted=back)  # of twice the rows
    kept_probs, kept = moe_utils.apply_router_token_dropping(probs, chosen, k, 1.0, "probs", True)
    capacity = moe_utils.get_capacity(t * k, e, 1.0)
    rows, row_probs, order = moe_utils.permute(tokens, kept, probs=kept_probs, num_out_tokens=capacity * e,
                                               drop_and_pad=True)
    back = moe_utils.unpermute(rows * 2, order, tokens.shape, probs=kept_probs, routing_map=kept, drop_and_pad=True)
    out.add("permute_padded", dict(top_k=k, capacity_factor=1.0, pad_to_capacity=True), tokens=tokens, probs=kept_probs,
            map=kept, rows=rows, row_probs=row_probs, order=order, unpermuted=back)
    ranks, local = 3, 2
    sizes = torch.tensor([[2, 0], [1, 3], [4, 1]])
    order = torch.arange(ranks * local).reshape(-1, local).T.ravel()
    rows = normal(gen, int(sizes.sum()), h)
    sorted_rows, _ = moe_utils.sort_chunks_by_idxs(rows, sizes.ravel(), order)
    out.add("chunks", dict(ranks=ranks, local_experts=local), rows=rows, sizes=sizes, order=order, sorted=sorted_rows)
    padded = moe_utils.pad_routing_map(chosen.int(), 4).bool()
    out.add("padded_map", dict(multiple=4), map=chosen, padded=padded)


def megatron_bias(out, gen):
    counts, bias = torch.tensor([7.0, 0.0, 3.0, 4.0, 6.0]), normal(gen, 5) * 0.1
    parallel_state.get_tensor_and_data_parallel_group = lambda **kw: dist.group.WORLD
    updated = moe_utils.get_updated_expert_bias(counts.clone(), bias, 0.01)
    out.add("bias_update", dict(bias_update_rate=0.01, bias_update="megatron"), counts=counts, expert_bias=bias,
            updated=updated)


def from_megatron():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    out, gen = file(), torch.Generator().manual_seed(6100)
    out.meta["megatron-core"] = megatron.core.__version__
    for part in (megatron_routing, megatron_losses, megatron_sinkhorn, megatron_capacity, megatron_permute,
                 megatron_bias):
        part(out, gen)
    dist.destroy_process_group()
    return out


# ---- torchtitan ------------------------------------------------------------

# name: tokens, experts, fields of the router's configuration, bias
TORCHTITAN_ROUTING = {
    "softmax": (9, 7, dict(top_k=3, score_func="softmax"), False),
    "softmax_bias_norm": (9, 7, dict(top_k=3, score_func="softmax", route_norm=True, route_scale=1.5), True),
    "sigmoid_scale": (8, 6, dict(top_k=2, score_func="sigmoid", route_scale=2.5), False),
    "sigmoid_bias_norm": (8, 6, dict(top_k=4, score_func="sigmoid", route_norm=True), True),
    "sigmoid_bias_groups": (12, 12, dict(top_k=4, score_func="sigmoid", route_norm=True, route_scale=2.5,
                                         num_expert_groups=4, num_limited_groups=2), True),
    "softmax_groups": (10, 15, dict(top_k=3, score_func="softmax", num_expert_groups=5, num_limited_groups=2), False),
}


def torchtitan_router(t, e, fields, gate):
    router = TokenChoiceTopKRouter(TokenChoiceTopKRouter.Config(
        num_experts=e, gate=Linear.Config(in_features=gate.shape[1], out_features=e), **fields))
    with torch.no_grad():
        router.gate.weight.copy_(gate)
    return router


def torchtitan_routing(out, gen):
    h = 6
    for name, (t, e, fields, biased) in TORCHTITAN_ROUTING.items():
        groups = fields.get("num_expert_groups")
        while True:
            x, gate = normal(gen, t, h).requires_grad_(), normal(gen, e, h) * 0.8
            bias = normal(gen, e) * (0.3 if fields["score_func"] == "sigmoid" else 0.1) if biased else None
            logits = x.detach() @ gate.T
            scored = logits.sigmoid() if fields["score_func"] == "sigmoid" else logits.softmax(-1)
            scored = scored + bias if biased else scored
            if distances(scored) < 0.0003:
                continue
            if groups and distances(scored.view(t, groups, -1).topk(2, dim=-1).values.sum(-1)) < 0.0005:
                continue
            break
        router = torchtitan_router(t, e, fields, gate)
        weights, indices, scores = (r[0] for r in router(x[None], bias))
        order = scored.gather(-1, indices).sort(dim=-1, descending=True).indices  # the package leaves it open
        weights, indices = weights.gather(-1, order), indices.gather(-1, order)
        d_weights = normal(gen, *weights.shape)
        d_x, d_gate = torch.autograd.grad((weights * d_weights).sum(), [x, router.gate.weight])
        config = dict(top_k=fields["top_k"], score=fields["score_func"], normalize=fields.get("route_norm", False),
                      scale=fields.get("route_scale", 1.0))
        if groups:
            config.update(groups=groups, groups_kept=fields["num_limited_groups"], group_score="top2")
        out.add(f"routing.{name}", config, hidden=x, **{"router.weight": gate}, scores=scores, indices=indices,
                weights=weights, grad_weights=d_weights, **{"grad.hidden": d_x, "grad.router.weight": d_gate},
                **({"expert_bias": bias} if biased else {}))
    router = torchtitan_router(7, 4, dict(top_k=3, score_func="softmax", _debug_force_load_balance=True),
                               normal(gen, 4, h))
    x = normal(gen, 7, h)
    weights, indices, scores = (r[0] for r in router(x[None]))
    out.add("round_robin", dict(top_k=3, score="softmax"), hidden=x, **{"router.weight": router.gate.weight},
            scores=scores, indices=indices, weights=weights)


def torchtitan_order(out, gen):
    """One rank's order and sum, and the order on every rank behind an all_to_all over three."""
    t, e, k, h, ranks = 8, 6, 3, 4, 3
    local = LocalTokenDispatcher(LocalTokenDispatcher.Config(num_experts=e, top_k=k))
    tokens, weights, first_slots, counts = [], [], [], []
    for rank in range(ranks):
        rows = t - rank  # unequal
        indices = torch.stack([torch.randperm(e, generator=gen)[:k] for _ in range(rows)])
        x, w = normal(gen, rows, h), torch.rand((rows, k), generator=gen)
        n = torch.bincount(indices.flatten(), minlength=e)
        moved, _, meta = local.dispatch(x, w, indices, n)
        y = local.combine(moved * 2, meta, x)
        out.add(f"order.rank{rank}", dict(top_k=k, experts=e), hidden=x, indices=indices, weights=w, counts=n,
                rows=moved, order=meta.token_indices_experts_sorted_N, combined=y)  # of twice the rows
        tokens.append(moved)
        counts.append(n)
    mesh = types.SimpleNamespace(ep_mesh=types.SimpleNamespace(size=lambda: ranks))
    each = e // ranks
    for rank in range(ranks):
        mine = [torch.split(rows, n.view(ranks, each).sum(1).tolist())[rank] for rows, n in zip(tokens, counts)]
        received = torch.stack([n.view(ranks, each)[rank] for n in counts])
        _, rows, order, n = AllToAllTokenDispatcher._permute(mesh, torch.cat(mine), received.flatten())
        out.add(f"exchange.rank{rank}", dict(ranks=ranks, local_experts=each), received=torch.cat(mine),
                counts=received, rows=rows, order=order, rows_per_expert=n)


def torchtitan_bias(out, gen):
    counts, bias, rate = torch.tensor([7.0, 0.0, 3.0, 4.0, 6.0, 4.0]), normal(gen, 6) * 0.1, 0.01
    moe = torch.nn.Module()
    moe.load_balance_coeff = rate
    moe.register_buffer("tokens_per_expert_E", counts.clone())
    moe.register_buffer("expert_bias_E", bias.clone())
    layer = torch.nn.Module()
    layer.moe_enabled, layer.moe = True, moe
    model = torch.nn.Module()
    model.layers = torch.nn.ModuleDict({"0": layer})
    hooks = []
    register_moe_load_balancing_hook(
        types.SimpleNamespace(register_step_pre_hook=hooks.append), [model],
        types.SimpleNamespace(get_optional_mesh=lambda name: None, ep_enabled=False, tp=1))
    hooks[0]()
    assert not moe.tokens_per_expert_E.any()
    out.add("bias_update", dict(bias_update_rate=rate, bias_update="torchtitan"), counts=counts, expert_bias=bias,
            updated=moe.expert_bias_E)


def from_torchtitan():
    from importlib.metadata import version
    out, gen = file(), torch.Generator().manual_seed(6200)
    out.meta["torchtitan"] = version("torchtitan")
    for part in (torchtitan_routing, torchtitan_order, torchtitan_bias):
        part(out, gen)
    return out


def main():
    ap = argparse.ArgumentParser(description="What Megatron-Core and torchtitan give.")
    ap.add_argument("--check", action="store_true", help="only compare what is stored with the packages")
    args = ap.parse_args()
    torch.set_num_threads(1)
    folder = HERE / "peers"
    folder.mkdir(exist_ok=True)
    for name, made in (("megatron", from_megatron()), ("torchtitan", from_torchtitan())):
        path = folder / f"{name}.safetensors"
        if args.check:
            stored = load_file(path)
            assert set(stored) == set(made.tensors), name
            error = max(((made.tensors[n].double() - t.double()).abs().max() / (1 + t.double().abs().max())).item()
                        for n, t in stored.items())
            assert error <= 1e-5, (name, error)
            print(f"{name}: largest relative difference {error:.3g}")
            continue
        write(made.tensors, path, metadata=made.meta)
        path.chmod(0o644)
        print(name, path.stat().st_size, len(made.tensors))


if __name__ == "__main__":
    main()
