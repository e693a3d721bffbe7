// SPDX-License-Identifier: Apache-2.0
// One mixture-of-experts layer of GPT-OSS, of Llama 4 and of LongCat-Flash, forward and backward on every mesh, against
// what their own classes gave; weights are transposed where these models store them so.
#include "../support/moe_trial.hpp"
#include "stored.hpp"

#include <doctest/doctest.h>
#include <heddle/kernel/route.hpp>
#include <heddle/layer/backward.hpp>
#include <heddle/layer/layer.hpp>
#include <heddle/layer/reduce_gradients.hpp>
#include <heddle/style/identity_experts.hpp>
#include <heddle/style/linear.hpp>
#include <mutex>

namespace {

using golden::stored;
using heddle::box;
using heddle::index_t;
using heddle::shape_t;
using support::grid_type;
using floats = std::vector<float>;

constexpr double bound = 2e-5;

/// The stored tensors of a layer; what ranks have of them is held against them.
class judge {
 public:
  explicit judge(std::string const& name) : file{"layers/" + name + ".safetensors"} {}
  stored file;

  [[nodiscard]] support::tensor whole(std::string const& name) const {
    floats const values = file.all(name);
    return {file.shape(name), {values.begin(), values.end()}};
  }
  [[nodiscard]] floats part(std::string const& name, box const& where) const {
    return support::cut<float>(whole(name), where);
  }
  template <class View>
  void compare(std::string const& name, View got, box const& where) {
    support::tensor const all = whole(name);
    floats const expected = support::cut<float>(all, where);
    double scale = 0, worst = static_cast<index_t>(expected.size()) == got.count() ? 0 : HUGE_VAL;
    for (double const value : all.data) scale = std::max(scale, std::abs(value));
    for (std::size_t i = 0; worst < HUGE_VAL && i < expected.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(got.data()[i]) - static_cast<double>(expected[i])));
    std::lock_guard const lock{mutex_};
    ++compared_;
    if (!(worst <= bound * scale)) problem_ += name + " is off by " + std::to_string(worst / scale) + "; ";
  }
  /// What was wrong since the last call, "nothing" where nothing was compared.
  [[nodiscard]] std::string take(int at_least) {
    std::string const found = compared_ < at_least ? "nothing was compared" : problem_;
    compared_ = 0;
    problem_.clear();
    return found;
  }

 private:
  std::mutex mutex_;
  std::string problem_;
  int compared_ = 0;
};

/// Cuts a parameter as a placement says.
template <class Placement>
struct cut_as {
  using weight = Placement;
  using bias = Placement;
};

/// One model's layer, its experts, and how it stores matrices.
template <class Layer, class Expert, class Order = heddle::in_out>
struct model {
  using layer = Layer;
  using order = Order;
  using style = heddle::on_expert_grid<layer>;
  using parts = typename Expert::template on_groups<heddle::ep, heddle::etp>;
  using fc1 = cut_as<typename parts::fc1_weight>;
  using fc2 = cut_as<typename parts::fc2_weight>;
  using fc2_bias = cut_as<typename parts::fc2_bias>;
};

/// How its router chooses, what its experts are, where the weight of a choice goes.
template <class Rule, class Expert, heddle::weight_at At>
using plain_model =
    model<heddle::expert_parallel<heddle::top_k<Rule>, heddle::all_to_all_dispatcher<>, Expert, At>, Expert>;

using gpt_oss_rule = heddle::kernel::top_k_then_softmax;
template <class Mode>
using gpt_oss_expert =
    heddle::glu_expert<Mode, heddle::gpt_oss, heddle::interleaved, heddle::expert_options{.bias = true}>;
using gpt_oss = plain_model<gpt_oss_rule, gpt_oss_expert<heddle::grouped>, heddle::weight_at::output>;
using gpt_oss_inside = plain_model<gpt_oss_rule, gpt_oss_expert<heddle::sequential>, heddle::weight_at::activation>;

using llama4_rule = heddle::kernel::top_k_then_sigmoid;
using llama4 = plain_model<llama4_rule, heddle::glu_expert<>, heddle::weight_at::input>;

using longcat_rule = heddle::kernel::softmax_then_top_k<false>;
template <class Dispatcher, heddle::weight_at At>
using longcat = model<heddle::with_identity_experts<heddle::top_k<longcat_rule>, Dispatcher, heddle::glu_expert<>, At>,
                      heddle::glu_expert<>, heddle::out_in>;

/// A rank's parameters and their memory.
template <class Model>
struct parameters {
  using layout = typename Model::order;
  static constexpr bool turned = std::same_as<layout, heddle::in_out>;
  static constexpr auto order = turned ? heddle::weight_order::in_out : heddle::weight_order::out_in;
  parameters(judge const& on, grid_type const& grid, int rank)
      : wide{heddle::shard_weight<typename Model::fc1>(on.file.shape("gate_up_proj"), grid, rank, order)},
        narrow{heddle::shard_weight<typename Model::fc2>(on.file.shape("down_proj"), grid, rank, order)},
        gate{on.file.all("router.weight")},
        fc1{on.part("gate_up_proj", wide)},
        fc2{on.part("down_proj", narrow)} {
    shape_t const s0 = on.file.shape("router.weight"), s1 = on.file.shape("gate_up_proj"),
                  s2 = on.file.shape("down_proj");
    weights.gate = {support::matrix_of(gate, s0[0], s0[1]), s0[0], s0[1]};
    weights.fc1 = {matrices_of(fc1, wide), s1[0], s1[turned ? 2 : 1], s1[turned ? 1 : 2]};
    weights.fc2 = {matrices_of(fc2, narrow), s2[0], s2[turned ? 2 : 1], s2[turned ? 1 : 2]};
    weights.top_k = on.file.config().at("top_k");
    weights.route_scale = on.file.config().value("scale", 1.0F);
    if (on.file.has("expert_bias")) {
      expert_bias = on.file.all("expert_bias");
      weights.expert_bias = {expert_bias.data(), heddle::extents<heddle::hidden>{s0[0]}};
    }
    if (!on.file.has("router.bias")) return;
    wide_bias = heddle::shard_bias<typename Model::fc1>(on.file.shape("gate_up_bias"), grid, rank);
    narrow_bias = heddle::shard_bias<typename Model::fc2_bias>(on.file.shape("down_bias"), grid, rank);
    gate_bias = on.file.all("router.bias");
    fc1_bias = on.part("gate_up_bias", wide_bias);
    fc2_bias = on.part("down_bias", narrow_bias);
    weights.gate.bias = {gate_bias.data(), heddle::extents<heddle::hidden>{s0[0]}};
    weights.fc1.bias = vectors_of(fc1_bias, wide_bias);
    weights.fc2.bias = vectors_of(fc2_bias, narrow_bias);
  }
  parameters(parameters const&) = delete;
  parameters& operator=(parameters const&) = delete;

  static auto matrices_of(floats const& values, box const& part) {
    shape_t const s = part.shape();
    using matrices = typename layout::matrices;
    return heddle::view<float const, matrices>{values.data(), matrices{s[0], s[1], s[2]}};
  }
  static heddle::expert_vectors<float const> vectors_of(floats const& values, box const& part) {
    shape_t const s = part.shape();
    return {values.data(), heddle::extents<heddle::experts, heddle::out_features>{s[0], s[1]}};
  }

  box wide, narrow, wide_bias{}, narrow_bias{};
  floats gate, fc1, fc2, gate_bias{}, fc1_bias{}, fc2_bias{}, expert_bias{};
  heddle::moe_weights<float, heddle::host_memory, layout> weights{};
};

void add(floats& to, heddle::rows<float const> values) {
  for (index_t i = 0; i < values.count(); ++i) to[static_cast<std::size_t>(i)] += values.data()[i];
}

/// The expert that every token visits, cut over tp; its output and the gradient of its input are added to what is
/// there.
void visit_shared(judge& on, support::grid_tools& tools, heddle::rows<float const> x, heddle::rows<float const> dy,
                  floats& out, floats& dx) {
  using up = heddle::packed_colwise<heddle::tp>;
  using down = heddle::rowwise<heddle::tp>;
  using mlp = heddle::layer<up, heddle::gated<heddle::tp>, down>;
  shape_t const s1 = on.file.shape("shared.gate_up_proj"), s2 = on.file.shape("shared.down_proj");
  box const wide = heddle::shard_weight<up>(s1, tools.grid, tools.rank);
  box const narrow = heddle::shard_weight<down>(s2, tools.grid, tools.rank);
  floats const fc1 = on.part("shared.gate_up_proj", wide), fc2 = on.part("shared.down_proj", narrow);
  std::tuple const weights{
      heddle::linear<float>{support::matrix_of(fc1, wide.shape()[0], wide.shape()[1]), s1[0], s1[1]},
      heddle::linear<float>{support::matrix_of(fc2, narrow.shape()[0], narrow.shape()[1]), s2[0], s2[1]}};
  auto const [y, saved] = heddle::forward<mlp>(tools.execution, weights, x);
  auto const [back, gradients] = heddle::backward<mlp>(tools.execution, weights, saved, dy);
  using dealt = heddle::placement<heddle::on<heddle::dp, heddle::sharded<heddle::tokens>>>;
  heddle::reduce_gradients<heddle::sum, mlp, dealt>(tools.execution, gradients);
  add(out, y.data);
  add(dx, back.data);
  on.compare("grad.shared.gate_up_proj", std::get<0>(gradients).weight, wide);
  on.compare("grad.shared.down_proj", std::get<1>(gradients).weight, narrow);
}

template <class Model>
void on_every_mesh(std::string const& name) {
  judge on{name};
  int const compared = 5 + (on.file.has("router.bias") ? 3 : 0) + (on.file.has("shared.down_proj") ? 2 : 0);
  for (support::split_of const& split : support::all_splits()) {
    grid_type const grid = split.grid();
    support::on_ranks<heddle::tp, heddle::dp, heddle::etp, heddle::ep, heddle::edp>(
        grid, 1, [&](support::grid_tools& tools) {
          box mine = box::all(on.file.shape("hidden"));
          mine.axes[0] = {heddle::balanced::piece(mine.shape()[0], grid.size<heddle::dp>(),
                                                  grid.coordinate<heddle::dp>(tools.rank))};
          index_t const height = mine.shape()[0], width = mine.shape()[1];
          floats const x = on.part("hidden", mine), dy = on.part("grad_output", mine);
          auto const rows = support::rows_of(x, height, width), back = support::rows_of(dy, height, width);
          parameters<Model> const own{on, grid, tools.rank};
          using style = typename Model::style;
          auto const [y, saved] = heddle::forward<style>(tools.execution, own.weights, rows);
          auto const [dx, gradients] = heddle::backward<style>(tools.execution, own.weights, saved, back);
          heddle::reduce_gradients<heddle::sum, style>(tools.execution, gradients);
          floats out(x.size()), total(x.size());
          add(out, y.data);
          add(total, dx.data);
          if (on.file.has("shared.down_proj")) visit_shared(on, tools, rows, back, out, total);
          on.compare("output", support::rows_of(out, height, width), mine);
          on.compare("grad.hidden", support::rows_of(total, height, width), mine);
          on.compare("grad.router.weight", gradients.gate.weight, box::all(on.file.shape("router.weight")));
          on.compare("grad.gate_up_proj", gradients.fc1.weight, own.wide);
          on.compare("grad.down_proj", gradients.fc2.weight, own.narrow);
          if (!on.file.has("router.bias")) return;
          on.compare("grad.router.bias", gradients.gate.bias, box::all(on.file.shape("router.bias")));
          on.compare("grad.gate_up_bias", gradients.fc1.bias, own.wide_bias);
          on.compare("grad.down_bias", gradients.fc2.bias, own.narrow_bias);
        });
    CHECK_MESSAGE(on.take(compared * split.ranks) == "", name, " ", split.text());
  }
}

/// Who is chosen, in which order, and with which weights.
template <class Rule>
void routed(std::string const& name) {
  stored const file{"layers/" + name + ".safetensors"};
  floats const x = file.all("hidden"), gate = file.all("router.weight");
  floats const bias = file.has("expert_bias") ? file.all("expert_bias") : floats{};
  index_t const tokens = file.height("hidden"), width = file.width("hidden"), experts = file.height("router.weight");
  index_t const k = file.width("indices");
  floats logits, weights(static_cast<std::size_t>(tokens * k));
  std::vector<std::int32_t> ids(weights.size());
  floats const first =
      file.has("router.bias") ? file.all("router.bias") : floats(static_cast<std::size_t>(experts), 0.0F);
  for (index_t t = 0; t < tokens; ++t) {
    for (index_t e = 0; e < experts; ++e) {
      float sum = first[static_cast<std::size_t>(e)];
      for (index_t i = 0; i < width; ++i)
        sum += x[static_cast<std::size_t>(t * width + i)] * gate[static_cast<std::size_t>(e * width + i)];
      logits.push_back(sum);
    }
  }
  golden::launch(
      heddle::kernel::route<Rule, float>{.logits = golden::rows_of(logits, experts),
                                         .ids = golden::slots_of(ids, k),
                                         .weights = golden::slots_of(weights, k),
                                         .factor = file.config().value("scale", 1.0),
                                         .bias = {bias.empty() ? nullptr : bias.data(),
                                                  heddle::extents<heddle::hidden>{static_cast<index_t>(bias.size())}}},
      tokens);
  auto const expected = file.all<std::int64_t>("indices");
  CHECK(std::equal(ids.begin(), ids.end(), expected.begin(), expected.end()));
  floats const shares = file.all("weights");
  REQUIRE(shares.size() == weights.size());
  for (std::size_t i = 0; i < shares.size(); ++i) CHECK(weights[i] == doctest::Approx(shares[i]).epsilon(1e-5));
}

}  // namespace

TEST_CASE("GPT-OSS: the weight on the output") { on_every_mesh<gpt_oss>("gpt_oss"); }
TEST_CASE("GPT-OSS: the weight on the activation, expert by expert") { on_every_mesh<gpt_oss_inside>("gpt_oss"); }
TEST_CASE("Llama 4: the weight on the input, a shared expert") { on_every_mesh<llama4>("llama4"); }
TEST_CASE("LongCat-Flash: experts that give back their input, the weight at the origin") {
  on_every_mesh<longcat<heddle::all_to_all_dispatcher<>, heddle::weight_at::origin>>("longcat");
}
TEST_CASE("LongCat-Flash: tokens gathered, the weight on the output") {
  on_every_mesh<longcat<heddle::all_gather_dispatcher<>, heddle::weight_at::output>>("longcat");
}

TEST_CASE("each model's router, by itself") {
  routed<gpt_oss_rule>("gpt_oss");
  routed<llama4_rule>("llama4");
  routed<longcat_rule>("longcat");
}

TEST_CASE("every tensor of layers/ is read") {
  for (std::string const name : {"gpt_oss", "llama4", "longcat"})
    CHECK_MESSAGE(stored{"layers/" + name + ".safetensors"}.unread() == "", name);
}
