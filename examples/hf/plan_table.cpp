// SPDX-License-Identifier: Apache-2.0
#include "plan_table.hpp"

#include "moe.hpp"
#include "plans.hpp"
#include <heddle/plan/cost.hpp>
#include <heddle/sequence/describe.hpp>

namespace hf {

namespace {

using heddle::cost_report;
using heddle::layer_shape;

/// "colwise<tp>", "grouped_gemm<ep> + rowwise<etp>".
template <class Style>
std::string label_of() {
  if constexpr (requires { typename Style::outer; }) {
    return label_of<typename Style::outer>() + " + " + label_of<typename Style::inner>();
  } else {
    std::string label{Style::name.view()};
    if constexpr (requires { Style::group::name; }) label.append("<").append(Style::group::name.view()).append(">");
    return label;
  }
}

int size_of_group(grid_type const& grid, std::string_view name) {
  if (name == heddle::tp::name.view()) return grid.size<heddle::tp>();
  if (name == heddle::ep::name.view()) return grid.size<heddle::ep>();
  if (name == heddle::etp::name.view()) return grid.size<heddle::etp>();
  return 1;
}

class table_maker {
 public:
  table_maker(model const& whole, choice const& chosen, grid_type const& grid, batch const& tokens)
      : whole_{whole}, settings_{whole.settings}, chosen_{chosen}, grid_{grid}, tokens_{tokens} {}

  [[nodiscard]] std::vector<planned_layer> make() {
    begin("embedding");
    add("", "model.embed_tokens");
    layers("attention", [](bool) { return true; }, {"input_layernorm", "self_attn."});
    layers("experts", [](bool sparse) { return sparse; }, {"post_attention_layernorm", "mlp."});
    layers("dense MLP", [](bool sparse) { return !sparse; }, {"post_attention_layernorm", "mlp."});
    begin("head");
    add("", "model.norm");
    add("", "lm_head");
    return std::move(table_);
  }

 private:
  void begin(std::string title, index_t times = 1) { table_.push_back({std::move(title), times, {}, {}, {}}); }

  /// One entry for all layers of a kind: they are alike.
  template <class Filter>
  void layers(std::string const& kind, Filter const& is, std::initializer_list<char const*> modules) {
    std::vector<int> numbers;
    for (std::size_t i = 0; i < settings_.sparse.size(); ++i) {
      if (is(settings_.sparse[i])) numbers.push_back(static_cast<int>(i));
    }
    if (numbers.empty()) return;
    begin((numbers.size() == 1 ? "layer " : "layers ") + text_of_numbers(numbers) + ": " + kind,
          static_cast<index_t>(numbers.size()));
    std::string const layer = "model.layers." + std::to_string(numbers[0]) + ".";
    for (char const* const module : modules) add(layer, layer + module);
    if (kind == "experts") add_moe();
  }

  /// The parameters whose names begin with `prefix`, in the order of the model; `hidden` is left out in print.
  void add(std::string const& layer, std::string const& prefix) {
    for (parameter const& each : whole_.parameters) {
      if (!each.name.starts_with(prefix)) continue;
      with_plan(settings_.model,
                [&]<class Plan>() { Plan::visit(each.name, [&]<class Style>() { add_one<Style>(layer, each); }); });
    }
  }
  template <class Style>
  void add_one(std::string const& layer, parameter const& each) {
    planned_parameter entry{each.name.substr(layer.size()), label_of<Style>(), each.shape, {}};
    for (int rank = 0; rank < grid_.world(); ++rank)
      entry.parts.push_back(part_of(settings_.model, each, grid_, rank).shape());
    std::string module{heddle::parent_of(entry.name)};
    if (module.empty()) module = entry.name;
    if (each.kind == heddle::parameter_kind::weight) {
      price<Style>(module,
                   [&](int rank) { return shape_of_linear(each, entry, Style::name.view() == "rowwise", rank); });
    }
    table_.back().parameters.push_back(std::move(entry));
  }
  [[nodiscard]] layer_shape shape_of_linear(parameter const& each, planned_parameter const& entry, bool enters_cut,
                                            int rank) const {
    index_t const in = each.shape.back();
    bool const embedding = each.name.starts_with("model.embed_tokens");
    return {.rows = rows_of(rank),
            .width = enters_cut ? entry.parts[static_cast<std::size_t>(rank)].back() : in,
            .full_width = in,
            .out = embedding ? in : each.shape[0],
            .element_size = element_size()};
  }
  void add_moe() {
    layer_shape shape{.width = settings_.hidden,
                      .experts = settings_.experts,
                      .top_k = settings_.top_k,
                      .ffn = settings_.expert_ffn,
                      .element_size = element_size()};
    with_moe<normalised_softmax_router>(chosen_, [&]<class Style>() {
      price<Style>("mlp", [&](int rank) {
        shape.rows = rows_of(rank);
        return shape;
      });
    });
  }

  /// Adds the collectives and the texts of a style; `shape_of(rank)` are its sizes.
  template <class Style, class ShapeOf>
  void price(std::string const& where, ShapeOf const& shape_of) {
    using forward = typename Style::forward;
    if constexpr (!std::same_as<forward, heddle::sequence<>>) {
      table_.back().texts.push_back(
          {where, std::string{heddle::describe<forward>()}, std::string{heddle::describe<typename Style::backward>()}});
    }
    std::vector<cost_report> bills;
    for (int rank = 0; rank < grid_.world(); ++rank)
      bills.push_back(heddle::cost_of<Style>(grid_, rank, shape_of(rank)));
    for (std::size_t s = 0; s < bills[0].count; ++s) {
      heddle::cost_step const& step = bills[0].steps[s];
      if (size_of_group(grid_, step.group) == 1) continue;
      planned_step entry{where, std::string{step.operation}, std::string{step.group}, {}, false};
      for (cost_report const& bill : bills) entry.bytes.push_back(bill.steps[s].bytes_sent);
      entry.about = step.about || (entry.group != heddle::tp::name.view() && !equal_shares());
      table_.back().steps.push_back(std::move(entry));
    }
  }

  [[nodiscard]] index_t rows_of(int rank) const {
    return static_cast<index_t>(share_of(tokens_, grid_.size<heddle::dp>(), grid_.coordinate<heddle::dp>(rank)).size());
  }
  /// Whether every rank of the expert grid brings equally many tokens.
  [[nodiscard]] bool equal_shares() const {
    return tokens_.sequences % grid_.size<heddle::dp>() == 0 && rows_of(0) % grid_.size<heddle::tp>() == 0;
  }
  [[nodiscard]] index_t element_size() const { return chosen_.dtype == dtype_kind::bf16 ? 2 : 4; }

  model const& whole_;
  config const& settings_;
  choice const& chosen_;
  grid_type const& grid_;
  batch const& tokens_;
  std::vector<planned_layer> table_;
};

}  // namespace

std::vector<planned_layer> plan_table(model const& whole, choice const& chosen, grid_type const& grid,
                                      batch const& tokens) {
  return table_maker{whole, chosen, grid, tokens}.make();
}

index_t planned_bytes(std::vector<planned_layer> const& table, std::string_view group, int rank) {
  index_t sum = 0;
  for (planned_layer const& layer : table) {
    for (planned_step const& step : layer.steps) {
      if (step.group == group) sum += layer.times * step.bytes[static_cast<std::size_t>(rank)];
    }
  }
  return sum;
}

std::string text_of_numbers(std::vector<int> const& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    text.append(text.empty() ? "" : ", ").append(std::to_string(numbers[i]));
    if (end - i > 1) text.append("-").append(std::to_string(numbers[end - 1]));
    i = end;
  }
  return text;
}

}  // namespace hf
