// SPDX-License-Identifier: Apache-2.0
// Runs a step on ranks, part after part, and puts together what they have.
#include "../support/train_step.hpp"

#include "../support/relative.hpp"
#include "../support/train_parts.hpp"

#include <heddle/expert/glu_expert.hpp>
#include <heddle/expert/plain_expert.hpp>
#include <heddle/host/thread_world.hpp>
#include <heddle/host/workspace.hpp>
#include <heddle/layer/update_expert_bias.hpp>
#include <heddle/style/shard.hpp>
#include <mutex>

namespace train {

template <class T, int First>
std::unique_ptr<expert_part<T>> make_four_families(int number);
template <class T, int First>
std::unique_ptr<rows_part<T>> make_four_shared(int family);

namespace {

using heddle::box;
using heddle::shape_t;
using oracle::at;
using support::tensor;

template <class T>
std::unique_ptr<expert_part<T>> make_expert(int number) {
  if (number < 16) return make_four_families<T, 0>(number);
  if (number < 32) return make_four_families<T, 4>(number);
  if (number < 48) return make_four_families<T, 8>(number);
  return make_four_families<T, 12>(number);
}
template <class T>
std::unique_ptr<rows_part<T>> make_shared_expert(int family) {
  if (family < 4) return make_four_shared<T, 0>(family);
  if (family < 8) return make_four_shared<T, 4>(family);
  if (family < 12) return make_four_shared<T, 8>(family);
  return make_four_shared<T, 12>(family);
}

/// The elements of a whole tensor that a box owns, in storage order.
std::vector<std::size_t> elements_of(shape_t const& shape, box const& part) {
  tensor numbers{shape, {}};
  for (index_t i = 0; i < support::count_of(shape); ++i) numbers.data.push_back(static_cast<double>(i));
  std::vector<std::size_t> result;
  for (double const place : support::cut<double>(numbers, part)) result.push_back(static_cast<std::size_t>(place));
  return result;
}

/// A tensor as the policy stores it: its shape, and where each element stands in the oracle's.
struct storage {
  shape_t shape;
  std::vector<std::size_t> origin;
};
storage storage_of(member const& of, std::string const& name) {
  shape_t shape = of.layer.at(name).shape;
  bool const packed = name.find("gate_up") != std::string::npos;
  bool const vectors = name.ends_with("_bias");
  bool const matrices = shape.size() == 3;
  if (!matrices && !packed) return {shape, elements_of(shape, box::all(shape))};
  index_t const count = matrices || vectors ? shape[0] : 1;
  index_t const rows = matrices || vectors ? shape[1] : shape[0];
  index_t const columns = vectors ? 1 : shape.back();
  storage result{shape, std::vector<std::size_t>(at(count * rows * columns))};
  bool const turned = matrices && of.is().transposed;
  if (turned) std::swap(result.shape[1], result.shape[2]);
  for (index_t e = 0; e < count; ++e) {
    for (index_t r = 0; r < rows; ++r) {
      index_t const source = packed ? row_in_halves(of.activation().packed, r, rows / 2) : r;
      for (index_t c = 0; c < columns; ++c)
        result.origin[at(e * rows * columns + (turned ? c * rows + r : r * columns + c))] =
            at((e * rows + source) * columns + c);
    }
  }
  return result;
}

/// The part of an expert parameter that a rank has.
template <class Expert>
box expert_part_of(std::string const& name, shape_t const& shape, heddle::weight_order order,
                   heddle::folding<> const& grid, int rank) {
  using parts = typename Expert::template on_groups<ep, etp>;
  using heddle::detail::sharding;
  auto const kind = name.ends_with("_bias") ? heddle::parameter_kind::bias : heddle::parameter_kind::weight;
  box const all = box::all(shape);
  if (name == "down_proj") return sharding<typename parts::fc2_weight>::part(all, kind, order, grid, rank);
  if (name == "down_bias") return sharding<typename parts::fc2_bias>::part(all, kind, order, grid, rank);
  return sharding<typename parts::fc1_weight>::part(all, kind, order, grid, rank);
}
box part_of(member const& of, std::string const& name, shape_t const& shape, heddle::folding<> const& grid, int rank) {
  if (!name.starts_with("gate_up") && !name.starts_with("down")) return box::all(shape);
  auto const order = of.is().transposed ? heddle::weight_order::in_out : heddle::weight_order::out_in;
  auto const as = [&]<class Expert>() { return expert_part_of<Expert>(name, shape, order, grid, rank); };
  using heddle::expert_options;
  using heddle::grouped;
  using heddle::silu;
  switch (of.activation().packed) {
    case packing::none: break;
    case packing::halves: return as.template operator()<heddle::glu_expert<grouped, silu, heddle::halves>>();
    case packing::interleaved: return as.template operator()<heddle::glu_expert<grouped, silu, heddle::interleaved>>();
    case packing::blocks_of_2:
      return as.template operator()<heddle::glu_expert<grouped, silu, heddle::block_interleaved<2>>>();
    case packing::blocks_of_3:
      return as.template operator()<heddle::glu_expert<grouped, silu, heddle::block_interleaved<3>>>();
  }
  return as.template operator()<heddle::plain_expert<grouped, heddle::relu>>();
}

/// What ranks hold of the parameters, and of the results.
class whole {
 public:
  explicit whole(member const& of) : of_{of} {
    for (auto const& [name, value] : of.layer.tensors) {
      storage kept = storage_of(of, name);
      tensor stored{kept.shape, {}};
      for (std::size_t const from : kept.origin) stored.data.push_back(value.data[from]);
      tensors_.emplace(name, std::move(stored));
      storages_.emplace(name, std::move(kept));
    }
  }
  [[nodiscard]] tensor const& stored(std::string const& name) const { return tensors_.at(name); }

  /// Takes `data`, the `part` of a tensor that looks like input `like`; ranks with the same part agree on it.
  template <class Element>
  void collect(std::string const& name, std::string const& like, box const& part, Element const* data) {
    storage const& kept = storages_.at(like);
    std::lock_guard const lock{mutex_};
    auto& to = result_.reals[name];
    auto& seen = written_[name];
    to.resize(kept.origin.size());
    seen.resize(kept.origin.size());
    for (std::size_t const place : elements_of(kept.shape, part)) {
      double const value = static_cast<double>(*data++);
      std::size_t const where = kept.origin[place];
      if (seen[where] && std::memcmp(&to[where], &value, sizeof value) != 0 && value == value)
        complain("ranks disagree on " + name);
      to[where] = value;
      seen[where] = true;
    }
  }
  /// Every rank has all of it.
  void collect(std::string const& name, std::vector<double> const& values) {
    std::lock_guard const lock{mutex_};
    auto const [found, fresh] = result_.reals.emplace(name, values);
    if (!fresh && !support::same_bits(found->second, values)) complain("ranks disagree on " + name);
  }
  /// Rows of a rank's tokens.
  template <class Element>
  void collect_rows(std::string const& name, index_t first, index_t count, index_t width, Element const* data) {
    std::lock_guard const lock{mutex_};
    auto& to = [&]() -> auto& {
      if constexpr (std::is_integral_v<Element>) return result_.counts[name];
      else return result_.reals[name];
    }
    ();
    auto& seen = written_[name];
    to.resize(at(of_.layer.tokens() * width));
    seen.resize(to.size());
    for (index_t i = 0; i < count * width; ++i) {
      using value = typename std::remove_reference_t<decltype(to)>::value_type;
      auto const is = static_cast<value>(data[i]);
      std::size_t const where = at(first * width + i);
      if (seen[where] && std::memcmp(&to[where], &is, sizeof is) != 0 && is == is)
        complain("ranks disagree on " + name);
      to[where] = is;
      seen[where] = true;
    }
  }
  /// A rank's counts are added to those of others.
  void count(std::string const& name, std::span<index_t const> counts) {
    std::lock_guard const lock{mutex_};
    auto& to = result_.counts[name];
    to.resize(at(of_.layer.experts()));
    for (std::size_t e = 0; e < counts.size(); ++e) to[e] += counts[e];
  }
  void complain(std::string const& what) {
    if (result_.problem.empty()) result_.problem = what;
  }
  [[nodiscard]] outcome const& result() const { return result_; }

 private:
  member const& of_;
  std::map<std::string, tensor> tensors_;
  std::map<std::string, storage> storages_;
  std::map<std::string, std::vector<bool>> written_;
  outcome result_;
  std::mutex mutex_;
};

/// A rank's parameters and their memory.
template <class T>
class parameters {
 public:
  parameters(member const& of, whole const& all, heddle::folding<> const& grid, int rank) : of_{of} {
    for (auto const& [name, value] : of.layer.tensors) {
      tensor const& stored = all.stored(name);
      boxes_.emplace(name, part_of(of, name, stored.shape, grid, rank));
      memory_[name] = support::cut<T>(stored, boxes_.at(name));
    }
    auto& w = weights_.straight;
    w.gate = matrix("router.weight");
    w.gate.bias = vector("router.bias");
    w.expert_bias = vector("expert_bias");
    w.shared = {
        .fc1 = matrix("shared.gate_up_proj"), .fc2 = matrix("shared.down_proj"), .gate = matrix("shared.gate.weight")};
    oracle::settings const& is = of.layer.is;
    w.top_k = is.top_k;
    w.route_scale = is.scale;
    w.groups = is.groups;
    w.groups_kept = is.groups_kept;
    w.options = {.capacity_factor = is.capacity_factor.value_or(1),
                 .aux_coeff = is.aux_loss_coeff.value_or(0),
                 .z_coeff = is.z_loss_coeff.value_or(0),
                 .sequence_length = is.sequence_length};
    fill(w.fc1, "gate_up_proj", "gate_up_bias", !of.is().transposed);
    fill(w.fc2, "down_proj", "down_bias", !of.is().transposed);
    fill(weights_.turned.fc1, "gate_up_proj", "gate_up_bias", of.is().transposed);
    fill(weights_.turned.fc2, "down_proj", "down_bias", of.is().transposed);
  }
  parameters(parameters const&) = delete;
  parameters& operator=(parameters const&) = delete;
  [[nodiscard]] weights_of<T> const& weights() const { return weights_; }
  [[nodiscard]] std::vector<T> const& memory(std::string const& name) const { return memory_.at(name); }

  void collect(gradients_of<T> const& from, whole& to) const {
    auto const one = [&](std::string const& name, auto const& view) {
      if (of_.layer.find(name) != nullptr && of_.layer.find("grad_output") != nullptr)
        to.collect("grad." + name, name, boxes_.at(name), view.data());
    };
    auto const experts = [&](auto const& both) {
      one("gate_up_proj", both.fc1.weight);
      one("gate_up_bias", both.fc1.bias);
      one("down_proj", both.fc2.weight);
      one("down_bias", both.fc2.bias);
    };
    one("router.weight", from.straight.gate.weight);
    one("router.bias", from.straight.gate.bias);
    one("shared.gate_up_proj", from.straight.shared.fc1.weight);
    one("shared.down_proj", from.straight.shared.fc2.weight);
    one("shared.gate.weight", from.straight.shared.gate.weight);
    if (of_.is().transposed) experts(from.turned);
    else experts(from.straight);
  }

 private:
  heddle::linear<T> matrix(std::string const& name) const {
    tensor const* const found = of_.layer.find(name);
    if (found == nullptr) return {};
    return {.weight = support::matrix_of(memory_.at(name), (*found)[0], (*found)[1]),
            .full_out = (*found)[0],
            .full_in = (*found)[1]};
  }
  heddle::vector_view<T const> vector(std::string const& name) const {
    if (of_.layer.find(name) == nullptr) return {};
    return support::vector_of(memory_.at(name));
  }
  /// Sizes are known to whoever asks; the numbers are where the experts look for them.
  template <class Linear>
  void fill(Linear& to, std::string const& weight, std::string const& bias, bool numbers) const {
    tensor const& all = of_.layer.at(weight);
    to.full_experts = all[0];
    to.full_out = all[1];
    to.full_in = all[2];
    if (!numbers) return;
    shape_t const shape = boxes_.at(weight).shape();
    to.weight = {memory_.at(weight).data(), {shape[0], shape[1], shape[2]}};
    if (of_.layer.find(bias) == nullptr) return;
    shape_t const biases = boxes_.at(bias).shape();
    to.bias = {memory_.at(bias).data(), {biases[0], biases[1]}};
  }

  member const& of_;
  std::map<std::string, std::vector<T>> memory_;
  std::map<std::string, box> boxes_;
  weights_of<T> weights_;
};

/// The parts one after another.
template <class T>
class step {
 public:
  step(member const& of, bench<T> const& with)
      : of_{of},
        with_{with},
        router_{make_router<T>(of.layer.is, of.everywhere())},
        transport_{make_transport<T>(of.dispatcher, of.is().at == heddle::weight_at::origin)},
        expert_{make_expert<T>(of.expert)} {
    if (of.layer.is.identity > 0) identity_ = make_identity<T>();
    if (of.layer.find("shared.down_proj") != nullptr) shared_ = make_shared_expert<T>(of.is().family);
    if (!of.dense) return;
    there_ = make_regrid<T>(true);
    back_ = make_regrid<T>(false);
  }

  struct forward_result {
    rows_of<T> y;
    gates_of<T> gates;
  };
  forward_result forward(rows_of<T> x) {
    if (there_) x = there_->forward(with_, x);
    routed<T> const tokens = router_->forward(with_, x);
    split_tokens<T> const split = identity_ ? identity_->forward(with_, tokens) : split_tokens<T>{tokens, {}};
    arrived<T> const rows = expert_->forward(with_, transport_->dispatch(with_, split.others));
    rows_of<T> y = transport_->combine(with_, rows.rows, rows.gates);
    if (identity_) y = sum_of(y, split.own);
    if (shared_) y = sum_of(y, shared_->forward(with_, x));
    return {back_ ? back_->forward(with_, y) : y, tokens.gates};
  }
  rows_of<T> backward(rows_of<T> dy, gradients_of<T> const& gradients) {
    if (back_) dy = back_->backward(with_, dy);
    arrived<T> const there = expert_->backward(with_, transport_->combine_backward(with_, dy));
    if (!of_.delayed) expert_->accumulate(with_, gradients);
    routed<T> tokens = transport_->dispatch_backward(with_, there);
    if (is(fault::slot_order_broken) || is(fault::gradient_of_weights_lost)) spoil(tokens.gates);
    if (identity_) tokens = identity_->backward(with_, {tokens, dy});
    rows_of<T> dx = router_->backward(with_, tokens);
    if (shared_) {
      rows_of<T> const of_shared = shared_->backward(with_, dy);
      if (!is(fault::gradient_of_shared_lost)) dx = sum_of(dx, of_shared);
    }
    router_->accumulate(with_, gradients);
    if (shared_) shared_->accumulate(with_, gradients);
    if (of_.delayed) expert_->accumulate(with_, gradients);
    if (is(fault::weights_accumulated_twice)) expert_->accumulate(with_, gradients);
    if (is(fault::experts_ep_times_too_large)) {
      for (auto const& view : {gradients.straight.fc1.weight, gradients.straight.fc2.weight}) enlarge(view);
      for (auto const& view : {gradients.turned.fc1.weight, gradients.turned.fc2.weight}) enlarge(view);
    }
    if (!is(fault::gate_not_reduced)) router_->reduce(with_, gradients);
    if (!is(fault::experts_not_reduced)) expert_->reduce(with_, gradients);
    if (shared_) shared_->reduce(with_, gradients);
    return there_ ? there_->backward(with_, dx) : dx;
  }

 private:
  [[nodiscard]] bool is(fault mistake) const { return of_.mistake == mistake; }
  template <class View>
  void enlarge(View const& view) const {
    for (index_t i = 0; i < view.count(); ++i) view.data()[i] *= static_cast<T>(of_.ep);
  }
  /// Slots from behind, or nothing.
  void spoil(gates_of<T>& of) const {
    auto const shape = of.weights.shape();
    heddle::slot_view<T> const spoilt{with_.on.template allocate<T>(shape.count()), shape};
    for (index_t t = 0; t < shape[0]; ++t) {
      for (index_t k = 0; k < shape[1]; ++k)
        spoilt(t, k) = is(fault::slot_order_broken) ? of.weights(t, shape[1] - 1 - k) : T{0};
    }
    of.weights = {spoilt.data(), shape};
  }
  rows_of<T> sum_of(rows_of<T> x, rows_of<T> y) {
    T* const sum = with_.on.template allocate<T>(x.data.count());
    for (index_t i = 0; i < x.data.count(); ++i) sum[i] = x.data.data()[i] + y.data.data()[i];
    return {{sum, x.data.shape()}, x.full_hidden};
  }

  member const& of_;
  bench<T> with_;
  std::unique_ptr<router_part<T>> router_;
  std::unique_ptr<transport_part<T>> transport_;
  std::unique_ptr<expert_part<T>> expert_;
  std::unique_ptr<identity_part<T>> identity_;
  std::unique_ptr<rows_part<T>> shared_, there_, back_;
};

/// What one rank has.
struct tools {
  tools(heddle::host::thread_communicator& world, heddle::folding<> const& mesh, member const& of)
      : grid{mesh},
        rank{world.rank()},
        of_groups{world, mesh},
        products{of.tiles},
        execution{products, of_groups, scratch, of.threads} {}
  tools(tools const&) = delete;
  tools& operator=(tools const&) = delete;

  heddle::folding<> const& grid;
  int rank;
  groups of_groups;
  gemm products;
  heddle::host::workspace scratch{};
  train::execution execution;
};

/// What the counts of all ranks do to the bias.
template <class... Groups, class T>
void update_bias(execution& on, oracle::settings const& is, std::vector<T>& bias, std::span<index_t const> counts) {
  using heddle::bias_rule;
  std::span<T> const to{bias};
  double const rate = *is.bias_update_rate;
  if (is.zero_mean) heddle::update_expert_bias<bias_rule::torchtitan, Groups...>(on, to, counts, rate);
  else heddle::update_expert_bias<bias_rule::megatron, Groups...>(on, to, counts, rate);
}

template <class T>
void run_rank(member const& of, whole& all, tools& with) {
  oracle::layer const& layer = of.layer;
  index_t const width = layer.hidden();
  int chunk = with.rank;
  if (of.dense) chunk = with.grid.template coordinate<dp>(with.rank);
  if (of.everywhere()) chunk = with.grid.template coordinate<edp>(with.rank);
  heddle::range const mine{of.cuts[at(chunk)], of.cuts[at(chunk + 1)] - of.cuts[at(chunk)]};
  heddle::range routed_here = mine;
  if (of.dense) {
    routed_here = heddle::ceil_chunk::piece(mine.size, of.tp, with.grid.template coordinate<tp>(with.rank));
    routed_here.begin += mine.begin;
  }
  parameters<T> const own{of, all, with.grid, with.rank};
  auto const rows = [&](std::string const& name) {
    T const* const data = own.memory(name).data() + mine.begin * width;
    return rows_of<T>{{data, heddle::extents<heddle::tokens, heddle::hidden>{mine.size, width}}, width};
  };
  std::unique_ptr<bool[]> const padding{new bool[at(mine.size) + 1]};
  for (index_t t = 0; t < mine.size; ++t) padding[at(t)] = !layer.valid(mine.begin + t);
  step_state state;
  if (!layer.padding.empty()) state.inputs.padding = {padding.get(), heddle::extents<heddle::tokens>{mine.size}};
  state.inputs.first_token = mine.begin;
  heddle::host::workspace::scope const scope{with.scratch};
  bench<T> const there{with.execution, own.weights(), state};
  step<T> parts{of, there};
  auto const [y, gates] = parts.forward(rows("hidden"));
  index_t const slots = layer.is.top_k;
  all.collect_rows("output", mine.begin, mine.size, width, y.data.data());
  all.collect_rows("indices", routed_here.begin, routed_here.size, slots, gates.ids.data());
  all.collect_rows("weights", routed_here.begin, routed_here.size, slots, gates.weights.data());
  bool const first_of_group = !of.everywhere() || with.execution.template communicator<both_groups>().rank() == 0;
  all.count("tokens_per_expert", first_of_group ? state.report.kept : std::span<index_t const>{});
  all.count("dropped_per_expert", first_of_group ? state.report.dropped : std::span<index_t const>{});
  all.collect("loss.aux", {state.report.aux});
  all.collect("loss.z", {state.report.z});
  std::vector<T> bias(at(layer.experts()));
  if (layer.find("expert_bias") != nullptr) bias = own.memory("expert_bias");
  if (layer.is.bias_update_rate) {
    if (of.everywhere()) update_bias<edp>(with.execution, layer.is, bias, state.report.kept);
    else update_bias<etp, ep, edp>(with.execution, layer.is, bias, state.report.kept);
  }
  all.collect("expert_bias.updated", {bias.begin(), bias.end()});
  gradients_of<T> const gradients{heddle::zero_gradients(with.execution, own.weights().straight),
                                  heddle::zero_gradients(with.execution, own.weights().turned)};
  auto const dx = parts.backward(rows("grad_output"), gradients);
  all.collect_rows("grad.hidden", mine.begin, mine.size, width, dx.data.data());
  own.collect(gradients, all);
}

}  // namespace

outcome run(member const& of) {
  whole all{of};
  try {
    heddle::folding<> const grid{heddle::dense_mesh{of.tp, of.ranks / of.tp},
                                 heddle::expert_mesh{of.etp, of.ep, of.ranks / of.etp / of.ep}};
    heddle::host::thread_world world{of.ranks, {.deadline = std::chrono::seconds{60}}};
    heddle::host::run(world, [&](heddle::host::thread_communicator& communicator) {
      tools with{communicator, grid, of};
      if (of.wide) run_rank<double>(of, all, with);
      else run_rank<float>(of, all, with);
    });
  } catch (std::exception const& problem) {
    all.complain(problem.what());
  }
  return all.result();
}

outcome expected(member const& of) {
  oracle::result const is = oracle::measured_layer(of.layer, of.chunks());
  outcome result{.reals = {{"output", is.output.data},
                           {"weights", is.weights.data},
                           {"loss.aux", {is.aux}},
                           {"loss.z", {is.z}},
                           {"expert_bias.updated", is.updated_bias}},
                 .counts = {{"indices", is.indices},
                            {"tokens_per_expert", is.tokens_per_expert},
                            {"dropped_per_expert", is.dropped_per_expert}},
                 .sizes = is.sizes};
  for (auto const& [name, gradient] : is.gradients) result.reals["grad." + name] = gradient.data;
  return result;
}

std::string difference(outcome const& got, outcome const& wanted, double tolerance) {
  if (!got.problem.empty()) return got.problem;
  if (got.reals.size() != wanted.reals.size() || got.counts.size() != wanted.counts.size())
    return "there are " + std::to_string(got.reals.size()) + " tensors and " + std::to_string(got.counts.size()) +
           " counts of " + std::to_string(wanted.reals.size()) + " and " + std::to_string(wanted.counts.size());
  for (auto const& [name, counts] : wanted.counts) {
    auto const found = got.counts.find(name);
    if (found == got.counts.end() || found->second != counts) return name + " differ";
  }
  for (auto const& [name, values] : wanted.reals) {
    auto const found = got.reals.find(name);
    if (found == got.reals.end()) return "there are no " + name;
    std::string const wrong = support::relative_difference(found->second, values, tolerance, wanted.sizes.at(name));
    if (!wrong.empty()) return name + wrong;
  }
  return {};
}

std::string other_bits(outcome const& got, outcome const& wanted, std::vector<std::string> const& names) {
  if (!got.problem.empty()) return got.problem;
  auto const asked = [&](std::string const& name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  };
  for (auto const& [name, counts] : wanted.counts) {
    if (asked(name) && got.counts.at(name) != counts) return name;
  }
  for (auto const& [name, values] : wanted.reals) {
    if (asked(name) && !support::same_bits(got.reals.at(name), values)) return name;
  }
  return {};
}

std::string member::text() const {
  static constexpr char const* places[] = {"input", "activation", "output", "origin"};
  static constexpr char const* packings[] = {"", "halves", "interleaved", "blocks of 2", "blocks of 3"};
  static constexpr char const* modes[] = {"grouped", "sequential", "aligned<16>", "aligned<3>"};
  auto const number = [](char const* name, index_t value) { return std::string{name} + " " + std::to_string(value); };
  expert_member const e = is();
  std::string result = (wide ? "f64, " : "f32, ") + number("W", ranks);
  if (dense) result += ", " + number("tp", tp);
  result += ", " + number("ep", ep) + ", " + number("etp", etp) + ", " + dispatcher_names[dispatcher] + ", " +
            modes[static_cast<int>(e.mode)] + " " + packings[static_cast<int>(activation().packed)] +
            (e.transposed ? " transposed" : "") + (e.has.bias ? " biased" : "") +
            (e.has.recompute ? " recomputed" : "") + ", weights at " + places[static_cast<int>(e.at)] +
            (delayed ? ", delayed" : "") + (tiles ? ", in tiles" : "") + ", " + number("threads", threads) + ", " +
            number("T", layer.tokens()) + ", " + number("H", layer.hidden()) + ", " + number("E", layer.experts()) +
            ", " + number("identity", layer.is.identity) + ", " + number("F", layer.at("down_proj")[2]) + ", chunks at";
  for (index_t const cut : cuts) result += " " + std::to_string(cut);
  result += layer.padding.empty() ? "" : ", padding";
  for (auto const& [name, value] : layer.tensors) result += ", " + name;
  return result + ", " + oracle::config_text(layer.is);
}

}  // namespace train
