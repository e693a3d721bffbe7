// SPDX-License-Identifier: Apache-2.0
#include "compare.hpp"

#include <cmath>
#include <heddle/checkpoint/open.hpp>
#include <heddle/checkpoint/read.hpp>

namespace hf {

difference difference_of(std::span<float const> ours, std::span<float const> theirs) {
  double largest = 0, largest_logit = 0, squares = 0, all_squares = 0;
  bool numbers = ours.size() == theirs.size();
  for (std::size_t i = 0; numbers && i < ours.size(); ++i) {
    double const apart = static_cast<double>(ours[i]) - static_cast<double>(theirs[i]);
    numbers = std::isfinite(apart);
    largest = std::max(largest, std::abs(apart));
    largest_logit = std::max(largest_logit, std::abs(static_cast<double>(theirs[i])));
    squares += apart * apart;
    all_squares += static_cast<double>(theirs[i]) * static_cast<double>(theirs[i]);
  }
  if (!numbers) return {HUGE_VAL, HUGE_VAL, HUGE_VAL};  // a NaN must not look like agreement
  return {largest, largest_logit > 0 ? largest / largest_logit : largest,
          all_squares > 0 ? std::sqrt(squares / all_squares) : std::sqrt(squares)};
}

std::optional<std::vector<float>> stored_logits(model const& whole, batch const& tokens) {
  std::string const reference = whole.folder + "/reference.safetensors";
  std::string const folder_tokens = whole.folder + "/tokens.safetensors";
  struct stat facts {};
  if (::stat(reference.c_str(), &facts) != 0 || ::stat(folder_tokens.c_str(), &facts) != 0) return {};
  batch theirs;
  try {
    theirs = read_tokens(folder_tokens, whole.settings.vocab);
  } catch (heddle::error const&) {
    return {};  // the run was on other tokens: what lies in the folder is not its business
  }
  if (theirs.sequences != tokens.sequences || theirs.length != tokens.length || theirs.ids != tokens.ids) return {};
  auto const file = heddle::checkpoint::open(reference);
  heddle::shape_t const shape{tokens.sequences, tokens.length, whole.settings.vocab};
  if (file.at("logits").shape != shape) {
    throw heddle::error(heddle::error_kind::shape, reference + ": 'logits' do not have the shape of these tokens",
                        "make the file again");
  }
  std::vector<float> logits(tokens.ids.size() * static_cast<std::size_t>(whole.settings.vocab));
  heddle::checkpoint::read<float>(file, "logits", heddle::box::all(shape), logits);
  return logits;
}

}  // namespace hf
