// SPDX-License-Identifier: Apache-2.0
// The stored gradients of transformers: of a block with experts of every model on every mesh, and of what stands around
// one. The block's weights are read from the model's folder as hf_forward reads them.
#include "hf/execution.hpp"
#include "hf/moe.hpp"
#include "hf/plans.hpp"
#include "hf/shards.hpp"
#include "trial.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <heddle/checkpoint/open.hpp>
#include <heddle/host/reference_gemm.hpp>
#include <heddle/host/workspace.hpp>
#include <heddle/layer/backward.hpp>
#include <heddle/layer/reduce_gradients.hpp>
#include <mutex>
#include <set>

namespace {

using heddle::box;
using heddle::index_t;
using heddle::rows;

/// Largest difference allowed, as a part of the largest number of the stored tensor.
constexpr double bound = 2e-5;
/// A gradient that cancels is noise: of one expert chosen with the weight x / x, that of the router is none.
constexpr double least_scale = 0.1;

/// The tensors of one file.
class stored {
 public:
  explicit stored(std::string const& path) : files_{heddle::checkpoint::open(path)} {}
  [[nodiscard]] bool has(std::string const& name) const { return files_.find(name) != nullptr; }
  [[nodiscard]] std::string layer(char const* which) const { return "model.layers." + files_.metadata().at(which); }
  /// A part of a tensor.
  template <class T = float>
  [[nodiscard]] std::vector<T> part(std::string const& name, box const& where) const {
    {
      std::lock_guard const lock{mutex_};
      read_.insert(name);
    }
    std::vector<T> values(static_cast<std::size_t>(where.count()));
    heddle::checkpoint::read<T>(files_, name, where, values);
    return values;
  }
  template <class T = float>
  [[nodiscard]] std::vector<T> all(std::string const& name) const {
    return part<T>(name, box::all(shape(name)));
  }
  [[nodiscard]] heddle::shape_t const& shape(std::string const& name) const { return files_.at(name).shape; }
  /// The tensors whose numbers nobody has asked for.
  [[nodiscard]] std::string unread() const {
    std::string found;
    for (std::string_view const name : files_.names())
      if (!read_.contains(std::string{name})) found += std::string{name} + " ";
    return found;
  }

 private:
  heddle::checkpoint::archive files_;
  mutable std::mutex mutex_;
  mutable std::set<std::string> read_;
};

/// A model with its gradients, and complaints of ranks about them.
struct subject {
  explicit subject(std::string const& name)
      : whole{hf::open_model(trial::golden() + "/models/" + name)},
        golden{trial::golden() + "/gradients/" + name + ".safetensors"} {}
  hf::model whole;
  stored golden;
  std::mutex mutex;
  std::string problem;
  int compared = 0;

  /// Holds what a rank has of a tensor against the stored numbers.
  template <class Element>
  void compare(std::string const& name, Element const* got, index_t count, box const& where) {
    auto const expected = golden.part(name, where);
    auto const everything = golden.all(name);
    double scale = least_scale, worst = 0;
    for (float const value : everything) scale = std::max(scale, std::abs(static_cast<double>(value)));
    bool const same_count = static_cast<index_t>(expected.size()) == count;
    for (std::size_t i = 0; same_count && i < expected.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i])));
    std::lock_guard const lock{mutex};
    ++compared;
    if (same_count && worst <= bound * scale) return;
    problem += name + " is off by " + std::to_string(worst / scale) + "; ";
  }
  void compare(std::string const& name, rows<float const> got, box const& where) {
    compare(name, got.data(), got.count(), where);
  }
  /// The same for a parameter, of which a rank has its part.
  template <class View>
  void compare(std::string const& name, View got, std::string const& parameter, hf::grid_type const& grid, int rank) {
    auto const& all = whole.parameters;
    auto const found = std::find_if(all.begin(), all.end(), [&](auto const& each) { return each.name == parameter; });
    REQUIRE(found != all.end());
    compare(name, got.data(), got.count(), hf::part_of(whole.settings.model, *found, grid, rank));
  }
};

/// hf_forward's own GEMM goes forward alone.
using training = heddle::host::execution<heddle::host::reference_gemm, hf::groups_type>;

/// What a rank works with. Tokens are dealt to dp.
struct rank_tools {
  subject& on;
  hf::grid_type const& grid;
  int rank;
  training& execution;
  hf::shards<float> const& weights;
  box mine;  ///< of [tokens, hidden]

  /// This rank's rows of a stored tensor.
  [[nodiscard]] std::vector<float> take(std::string const& name) const { return on.golden.part(name, mine); }
  [[nodiscard]] rows<float const> view(std::vector<float> const& values) const { return view(values, mine); }
  [[nodiscard]] static rows<float const> view(std::vector<float> const& values, box const& part) {
    auto const shape = part.shape();
    return {values.data(), heddle::extents<heddle::tokens, heddle::hidden>{shape[0], shape[1]}};
  }
  /// Columns of a wide tensor, as `ceil_chunk` deals them to tp.
  [[nodiscard]] box columns_of(std::string const& name) const {
    box part = mine;
    part.axes[1] = {heddle::ceil_chunk::piece(on.golden.shape(name)[1], grid.size<heddle::tp>(),
                                              grid.coordinate<heddle::tp>(rank))};
    return part;
  }
};

using dealt_tokens = heddle::placement<heddle::on<heddle::dp, heddle::sharded<heddle::tokens>>>;

/// Forward and backward on this rank; the gradients are reduced over the ranks.
template <class Style, class Weights, class X, class Dy, class Start = dealt_tokens>
auto step(rank_tools const& tools, Weights const& weights, X const& x, Dy const& dy, Start = {}) {
  auto const [y, saved] = heddle::forward<Style>(tools.execution, weights, x);
  auto const [dx, gradients] = heddle::backward<Style>(tools.execution, weights, saved, dy);
  heddle::reduce_gradients<heddle::sum, Style, Start>(tools.execution, gradients);
  return std::tuple{y, dx, gradients};
}

template <class Plan, heddle::fixed_string Name>
using style = heddle::style_of<Plan, Name>;
template <class Plan, heddle::fixed_string Name>
constexpr bool has = Plan::find(Name.view()).found();

void add(std::vector<float>& to, rows<float const> values) {
  for (index_t i = 0; i < values.count(); ++i) to[static_cast<std::size_t>(i)] += values.data()[i];
}

/// A dense MLP; its output and the gradient of its input are added to what is there.
template <class Plan, heddle::fixed_string Up, heddle::fixed_string Down>
void gated(rank_tools const& t, std::string const& module, std::string const& name, rows<float const> x,
           rows<float const> dy, std::vector<float>& out, std::vector<float>& dx) {
  using mlp = heddle::layer<style<Plan, Up>, heddle::gated<heddle::tp>, style<Plan, Down>>;
  auto const weights = std::tuple{t.weights.linear(module + ".gate_up_proj"), t.weights.linear(module + ".down_proj")};
  auto const [y, back, gradients] = step<mlp>(t, weights, x, dy);
  add(out, y.data);
  add(dx, back.data);
  t.on.compare("grad." + name + ".gate_up_proj", std::get<0>(gradients).weight, module + ".gate_up_proj.weight", t.grid,
               t.rank);
  t.on.compare("grad." + name + ".down_proj", std::get<1>(gradients).weight, module + ".down_proj.weight", t.grid,
               t.rank);
}

/// Who is chosen, in which order, and with which weights.
template <class Router, class Weights>
void chosen(rank_tools const& t, Weights const& weights, rows<float const> x) {
  auto const [y, saved] = heddle::forward<heddle::route_stage<Router>>(t.execution, weights, x);
  auto const gates = std::get<1>(y);
  box part = t.mine;
  part.axes[1] = {{0, t.on.golden.shape("indices")[1]}};
  auto const expected = t.on.golden.part<std::int64_t>("indices", part);
  bool const same = static_cast<index_t>(expected.size()) == gates.ids.count() &&
                    std::equal(expected.begin(), expected.end(), gates.ids.data());
  t.on.compare("weights", gates.weights.data(), gates.weights.count(), part);
  std::lock_guard const lock{t.on.mutex};
  if (!same) t.on.problem += "indices differ; ";
}

/// norm -> mixture of experts, with a shared expert where there is one.
template <class Plan, class Router>
void block(rank_tools const& t) {
  std::string const layer = t.on.golden.layer("layer"), mlp = layer + ".mlp";
  hf::config const& settings = t.on.whole.settings;
  auto const residual = t.take("residual"), x = t.take("hidden"), dy = t.take("grad_output");
  auto const weights = t.weights.moe(mlp, settings);
  using experts = hf::moe_style<heddle::all_to_all_dispatcher<>, heddle::grouped, Router>;
  auto const [y, dx, gradients] = step<experts>(t, weights, t.view(x), t.view(dy), heddle::placement<>{});
  chosen<Router>(t, weights, t.view(x));
  std::vector<float> output(x.size()), total(x.size());
  add(output, y.data);
  add(total, dx.data);
  if constexpr (has<Plan, "model.layers.*.mlp.shared_experts.down_proj">) {
    gated<Plan, "model.layers.*.mlp.shared_experts.gate_up_proj", "model.layers.*.mlp.shared_experts.down_proj">(
        t, mlp + ".shared_experts", "shared", t.view(x), t.view(dy), output, total);
  }
  t.on.compare("output", t.view(output), t.mine);
  t.on.compare("grad.hidden", t.view(total), t.mine);
  t.on.compare("grad.router.weight", gradients.gate.weight, mlp + ".gate.weight", t.grid, t.rank);
  t.on.compare("grad.gate_up_proj", gradients.fc1.weight, mlp + ".experts.gate_up_proj", t.grid, t.rank);
  t.on.compare("grad.down_proj", gradients.fc2.weight, mlp + ".experts.down_proj", t.grid, t.rank);

  std::string const norm = layer + ".post_attention_layernorm";
  auto const [normed, back, scale] = step<style<Plan, "model.layers.*.post_attention_layernorm">>(
      t, t.weights.norm(norm, settings.epsilon), t.view(residual), t.view(total));
  t.on.compare("hidden", normed.data, t.mine);
  t.on.compare("grad.residual", back.data, t.mine);
  t.on.compare("grad.norm.weight", scale.weight, norm + ".weight", t.grid, t.rank);
}

/// o_proj(q_proj(x)), nothing between.
template <class Plan>
void pair(rank_tools const& t) {
  std::string const self = t.on.golden.layer("layer") + ".self_attn.";
  auto const x = t.take("hidden"), dy = t.take("grad_output");
  using two =
      heddle::layer<style<Plan, "model.layers.*.self_attn.q_proj">, style<Plan, "model.layers.*.self_attn.o_proj">>;
  auto const weights = std::tuple{t.weights.linear(self + "q_proj"), t.weights.linear(self + "o_proj")};
  auto const [y, dx, gradients] = step<two>(t, weights, t.view(x), t.view(dy));
  t.on.compare("pair.output", y.data, t.mine);
  t.on.compare("grad.pair.hidden", dx.data, t.mine);
  auto const& [first, second] = gradients;
  t.on.compare("grad.pair.q_proj.weight", first.weight, self + "q_proj.weight", t.grid, t.rank);
  t.on.compare("grad.pair.q_proj.bias", first.bias, self + "q_proj.bias", t.grid, t.rank);
  t.on.compare("grad.pair.o_proj.weight", second.weight, self + "o_proj.weight", t.grid, t.rank);
  t.on.compare("grad.pair.o_proj.bias", second.bias, self + "o_proj.bias", t.grid, t.rank);
}

/// The narrow keys and values of latent attention: a norm and a projection cut by heads behind the first columns, and
/// the last columns as every rank's heads use them.
template <class Plan>
void latent(rank_tools const& t) {
  std::string const self = t.on.golden.layer("layer") + ".self_attn.";
  auto const x = t.take("hidden");
  box const own = t.columns_of("latent.kv");
  auto const d_wide = t.on.golden.part("latent.grad_kv", own);
  box rope = t.mine;
  rope.axes[1] = {{0, t.on.golden.shape("latent.rope")[1]}};
  auto d_rope = t.on.golden.part("latent.grad_rope", rope);
  // Every rank's heads have a share in this gradient; the shares add up to the stored one.
  int const tp = t.grid.size<heddle::tp>();
  auto const share =
      static_cast<float>(2 * (t.grid.coordinate<heddle::tp>(t.rank) + 1)) / static_cast<float>(tp * (tp + 1));
  for (float& value : d_rope) value *= share;

  using narrow = style<Plan, "model.layers.*.self_attn.kv_a_proj_with_mqa">;
  using widen = heddle::layer<style<Plan, "model.layers.*.self_attn.kv_a_layernorm">,
                              style<Plan, "model.layers.*.self_attn.kv_b_proj">>;
  auto const first = t.weights.sliced(self + "kv_a_proj_with_mqa", t.on.whole.settings.narrow.kv);
  auto const [parts, saved] = heddle::forward<narrow>(t.execution, first, t.view(x));
  auto const& [compressed, turned] = parts;
  constexpr float epsilon = 1e-6F;
  auto const weights =
      std::tuple{t.weights.norm(self + "kv_a_layernorm", epsilon), t.weights.linear(self + "kv_b_proj")};
  heddle::activation<float const> const dy{t.view(d_wide, own), t.on.golden.shape("latent.kv")[1]};
  auto const [wide, d_compressed, gradients] = step<widen>(t, weights, compressed, dy);
  heddle::activation<float const> const d_turned{t.view(d_rope, rope), rope.shape()[1]};
  auto const [dx, of_first] =
      heddle::backward<narrow>(t.execution, first, saved, std::tuple{heddle::borrow(d_compressed), d_turned});
  heddle::reduce_gradients<heddle::sum, narrow, dealt_tokens>(t.execution, of_first);
  t.on.compare("latent.kv", wide.data, own);
  t.on.compare("latent.rope", turned.data, rope);
  t.on.compare("grad.latent.hidden", dx.data, t.mine);
  auto const compare = [&](std::string const& name, auto gradient) {
    t.on.compare("grad.latent." + name, gradient, self + name, t.grid, t.rank);
  };
  compare("kv_a_proj_with_mqa.weight", of_first.projection.weight);
  if (t.on.golden.has("grad.latent.kv_a_proj_with_mqa.bias"))
    compare("kv_a_proj_with_mqa.bias", of_first.projection.bias);
  compare("kv_a_layernorm.weight", std::get<0>(gradients).weight);
  compare("kv_b_proj.weight", std::get<1>(gradients).weight);
}

/// The embedding; four tokens occur twice.
template <class Plan>
void embedding(rank_tools const& t) {
  auto const ids = t.on.golden.part<std::int64_t>("embedding.ids", box{{t.mine.axes[0]}});
  auto const dy = t.take("grad_output");
  heddle::token_ids<> const tokens{{ids.data(), heddle::extents<heddle::tokens>{static_cast<index_t>(ids.size())}}};
  auto const [y, none, gradients] =
      step<style<Plan, "model.embed_tokens">>(t, t.weights.table("model.embed_tokens"), tokens, t.view(dy));
  t.on.compare("grad.embedding.weight", gradients.weight, "model.embed_tokens.weight", t.grid, t.rank);
}

template <class Plan, class Router>
void everything(rank_tools const& t) {
  block<Plan, Router>(t);
  if constexpr (has<Plan, "model.layers.*.mlp.down_proj">) {
    if (t.on.golden.has("dense.output")) {
      auto const x = t.take("hidden"), dy = t.take("grad_output");
      std::vector<float> output(x.size()), dx(x.size());
      gated<Plan, "model.layers.*.mlp.gate_up_proj", "model.layers.*.mlp.down_proj">(
          t, t.on.golden.layer("dense_layer") + ".mlp", "dense", t.view(x), t.view(dy), output, dx);
      t.on.compare("dense.output", t.view(output), t.mine);
      t.on.compare("grad.dense.hidden", t.view(dx), t.mine);
    }
  }
  if constexpr (has<Plan, "model.layers.*.self_attn.q_norm">) {
    if (t.on.golden.has("pair.output")) pair<Plan>(t);
  }
  if constexpr (has<Plan, "model.layers.*.self_attn.kv_a_proj_with_mqa">) {
    if (t.on.golden.has("latent.kv")) latent<Plan>(t);
  }
  if (t.on.golden.has("embedding.ids")) embedding<Plan>(t);
}

template <class Plan, class Router>
void on_every_mesh(std::string const& name) {
  subject on{name};
  for (hf::choice const& chosen : trial::meshes(on.whole.settings)) {
    hf::grid_type const grid = hf::grid_of(chosen, on.whole.settings);
    heddle::checkpoint::shard_store store;
    on.compared = 0;
    static_cast<void>(hf::run_ranks(
        {.ranks = chosen.ranks}, [] {},
        [&](hf::communicator& world) {
          hf::shards<float> weights;
          hf::progress done{0};
          weights.load(on.whole.settings.model, on.whole.parameters, on.whole.files, store, grid, world.rank(), done);
          hf::groups_type groups{world, grid};
          heddle::host::reference_gemm gemm;
          heddle::host::workspace scratch;
          training on_this_rank{gemm, groups, scratch};
          box mine = box::all(on.golden.shape("hidden"));
          mine.axes[0] = {heddle::balanced::piece(mine.shape()[0], grid.size<heddle::dp>(),
                                                  grid.coordinate<heddle::dp>(world.rank()))};
          everything<Plan, Router>({on, grid, world.rank(), on_this_rank, weights, mine});
        }));
    CHECK_MESSAGE(on.problem.empty(), name, " ", trial::text_of(chosen), ": ", on.problem);
    CHECK(on.compared >= 8 * chosen.ranks);
    on.problem.clear();
  }
  CHECK_MESSAGE(on.golden.unread() == "", name);
}

}  // namespace

TEST_CASE("gradients: mixtral") {
  for (char const* const name : {"mixtral_h8", "mixtral_odd", "mixtral_top1", "mixtral_merged", "mixtral_bf16"})
    on_every_mesh<hf::mixtral, hf::normalised_softmax_router>(name);
}
TEST_CASE("gradients: qwen3_moe") {
  for (char const* const name : {"qwen3_moe_h8", "qwen3_moe_demo", "qwen3_moe_merged", "qwen3_moe_bf16"})
    on_every_mesh<hf::qwen3_moe, hf::normalised_softmax_router>(name);
  for (char const* const name : {"qwen3_moe_odd", "qwen3_moe_step2"})
    on_every_mesh<hf::qwen3_moe, hf::softmax_router>(name);
}
TEST_CASE("gradients: olmoe") {
  for (char const* const name : {"olmoe_h8", "olmoe_odd", "olmoe_bf16"})
    on_every_mesh<hf::olmoe, hf::softmax_router>(name);
  on_every_mesh<hf::olmoe, hf::normalised_softmax_router>("olmoe_gqa");
}
TEST_CASE("gradients: deepseek_v3") {
  for (char const* const name : {"deepseek_v3_h8", "deepseek_v3_yarn", "deepseek_v3_bf16"})
    on_every_mesh<hf::deepseek_v3, hf::normalised_sigmoid_router>(name);
  on_every_mesh<hf::deepseek_v3, hf::sigmoid_router>("deepseek_v3_odd");
}
