// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include "compare.hpp"
#include "plan_table.hpp"
#include <algorithm>
#include <cstdio>

namespace hf {

namespace {

/// One value a rank as text: the value where all have the same, else each with its ranks, or the range where there are
/// many.
template <class Value, class TextOf>
std::string folded(std::vector<Value> const& by_rank, TextOf const& text_of) {
  constexpr std::size_t most = 4;
  std::vector<Value> distinct;
  std::vector<std::vector<int>> ranks;
  for (std::size_t rank = 0; rank < by_rank.size(); ++rank) {
    auto const place =
        static_cast<std::size_t>(std::find(distinct.begin(), distinct.end(), by_rank[rank]) - distinct.begin());
    if (place == distinct.size()) {
      distinct.push_back(by_rank[rank]);
      ranks.emplace_back();
    }
    ranks[place].push_back(static_cast<int>(rank));
  }
  if (distinct.size() == 1) return text_of(distinct[0]);
  if (distinct.size() > most) {
    return text_of(*std::min_element(distinct.begin(), distinct.end())) + " to " +
           text_of(*std::max_element(distinct.begin(), distinct.end()));
  }
  std::string text;
  for (std::size_t i = 0; i < distinct.size(); ++i) {
    text.append(i == 0 ? "" : ", ")
        .append(text_of(distinct[i]))
        .append(ranks[i].size() == 1 ? " (rank " : " (ranks ")
        .append(text_of_numbers(ranks[i]))
        .append(")");
  }
  return text;
}

std::string text_of_shape(heddle::shape_t const& shape) { return heddle::checkpoint::detail::text_of(shape); }
std::string text_of_bytes(index_t bytes) { return std::to_string(bytes); }

double mebibytes(index_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void print_header(model const& whole, choice const& chosen, grid_type const& grid, batch const& tokens) {
  config const& is = whole.settings;
  constexpr std::array<char const*, 3> dispatchers{"masked", "all_gather", "all_to_all"};
  std::printf(
      "%s: %d layers, hidden %d, %d heads and %d key-value heads of %d, %d experts of which %d a token, vocabulary "
      "%d\n",
      is.model_type.c_str(), static_cast<int>(is.layers), static_cast<int>(is.hidden), static_cast<int>(is.heads),
      static_cast<int>(is.kv_heads), static_cast<int>(is.head_dim), static_cast<int>(is.experts),
      static_cast<int>(is.top_k), static_cast<int>(is.vocab));
  std::printf(
      "%d ranks, dense grid tp %d x dp %d, expert grid etp %d x ep %d x edp %d; %s, %s experts, %s, %s, %d threads a "
      "rank, %s\n",
      chosen.ranks, grid.size<heddle::tp>(), grid.size<heddle::dp>(), grid.size<heddle::etp>(), grid.size<heddle::ep>(),
      grid.size<heddle::edp>(), dispatchers[static_cast<std::size_t>(chosen.dispatcher)],
      chosen.expert == expert_kind::grouped ? "grouped" : "sequential",
      chosen.dtype == dtype_kind::bf16 ? "bf16" : "f32", chosen.transport == transport_kind::mpi ? "mpi" : "threads",
      chosen.threads, chosen.gemm == gemm_kind::onednn ? "oneDNN" : "reference GEMM");
  std::printf("%d sequences of %d tokens\n", static_cast<int>(tokens.sequences), static_cast<int>(tokens.length));
}

void print_layer(planned_layer const& layer, bool describe) {
  std::size_t longest = 32;
  for (planned_parameter const& each : layer.parameters) longest = std::max(longest, each.name.size());
  int const wide = static_cast<int>(longest);
  std::printf("\n%s\n  %-*s %-44s %-14s %s\n", layer.title.c_str(), wide, "parameter", "style", "whole", "a rank owns");
  for (planned_parameter const& each : layer.parameters) {
    std::printf("  %-*s %-44s %-14s %s\n", wide, each.name.c_str(), each.style.c_str(),
                text_of_shape(each.whole).c_str(), folded(each.parts, text_of_shape).c_str());
  }
  if (layer.steps.empty()) std::printf("  no collectives\n");
  else std::printf("  %-*s %-59s %s\n", wide, "collective of", "operation", "bytes a rank sends");
  for (planned_step const& step : layer.steps) {
    std::printf("  %-*s %-59s %s%s\n", wide, step.where.c_str(), (step.operation + "<" + step.group + ">").c_str(),
                step.about ? "~" : "", folded(step.bytes, text_of_bytes).c_str());
  }
  if (!describe) return;
  for (planned_text const& text : layer.texts) {
    std::printf("  %s\n    forward:  %s\n    backward: %s\n", text.where.c_str(), text.forward.c_str(),
                text.backward.c_str());
  }
}

void print_sent(outcome const& done, std::vector<planned_layer> const& table) {
  std::printf("bytes each rank sent, by group\n");
  for (std::size_t g = 0; g < group_names.size(); ++g) {
    std::vector<index_t> measured, planned;
    for (std::size_t rank = 0; rank < done.sent.size(); ++rank) {
      measured.push_back(done.sent[rank][g]);
      planned.push_back(planned_bytes(table, group_names[g], static_cast<int>(rank)));
    }
    if (std::all_of(measured.begin(), measured.end(), [](index_t bytes) { return bytes == 0; })) continue;
    std::printf("  %-5s %s; by the plan %s\n", group_names[g], folded(measured, text_of_bytes).c_str(),
                folded(planned, text_of_bytes).c_str());
  }
}

}  // namespace

void print_plan(model const& whole, choice const& chosen, grid_type const& grid, batch const& tokens, bool describe) {
  print_header(whole, chosen, grid, tokens);
  bool about = false;
  for (planned_layer const& layer : plan_table(whole, chosen, grid, tokens)) {
    print_layer(layer, describe);
    for (planned_step const& step : layer.steps) about = about || step.about;
  }
  if (about)
    std::printf("\n~ supposes that all experts are chosen equally often and all ranks bring equally many tokens\n");
  std::printf("\n");
  std::fflush(stdout);
}

void print_outcome(model const& whole, choice const& chosen, grid_type const& grid, batch const& tokens,
                   outcome const& done) {
  if (done.sent.size() > 1) print_sent(done, plan_table(whole, chosen, grid, tokens));
  std::printf("loaded %.1f MiB of weights in %.2f s\n", mebibytes(done.shard_bytes), done.load_seconds);
  std::printf("%d tokens in %.3g s: %.1f tokens/s\n", static_cast<int>(tokens.ids.size()), done.seconds,
              static_cast<double>(tokens.ids.size()) / done.seconds);
  std::printf("peak memory %.1f MiB\n", mebibytes(done.peak_bytes));
  if (auto const theirs = stored_logits(whole, tokens)) {
    difference const apart = difference_of(done.logits, *theirs);
    std::printf(
        "against the stored logits: max difference %.3g, that is %.3g of the largest logit; relative L2 difference "
        "%.3g\n",
        apart.largest, apart.of_largest_logit, apart.relative_l2);
  } else {
    std::printf("no stored logits for these tokens\n");
  }
}

}  // namespace hf
