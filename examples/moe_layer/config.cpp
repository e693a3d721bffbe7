// SPDX-License-Identifier: Apache-2.0
#include "config.hpp"

#include <algorithm>
#include <cmath>
#include <heddle/checkpoint/format_code.hpp>
#include <heddle/kernel/select.hpp>
#include <nlohmann/json.hpp>
#include <vector>

namespace probe {

namespace {

using heddle::error;
using heddle::error_kind;
using heddle::checkpoint::shown;
using json = nlohmann::json;

constexpr std::array score_names{"softmax", "sigmoid", "sqrtsoftplus"};
constexpr std::array order_names{"pre", "post"};
constexpr std::array group_names{"top2", "topm", "max"};
constexpr std::array activation_names{"swiglu", "geglu", "quick_geglu", "gpt_oss", "squared_relu", "relu", "gelu"};
constexpr std::array layout_names{"halves", "interleaved"};
constexpr std::array drop_names{"probability", "position"};
constexpr std::array loss_names{"megatron", "sequence", "huggingface"};
constexpr std::array update_names{"megatron", "torchtitan"};

/// Short enough for a line, whatever the file holds.
std::string value_text(json const& value) {
  if (value.is_structured())
    return value.is_object() ? "an object" : "a list";  // dump would recurse as deep as it nests
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  constexpr std::size_t longest = 60;
  if (text.size() > longest) text.replace(longest, std::string::npos, "...");
  return text;
}

/// The members of the object, each asked for once; what nobody asked for is unknown.
class fields {
 public:
  fields(std::string const& text, std::string where) : where_{std::move(where)} {
    std::vector<std::string> keys;
    std::string twice;
    auto const watch = [&](int depth, json::parse_event_t event, json& parsed) {
      if (event == json::parse_event_t::key && depth == 1) {
        std::string const key = parsed.get<std::string>();
        if (std::find(keys.begin(), keys.end(), key) != keys.end()) twice = key;
        keys.push_back(key);
      }
      return true;
    };
    try {
      object_ = json::parse(text, watch);
    } catch (json::exception const& problem) {
      std::string const behind = keys.empty() ? "" : " from the key " + shown(keys.back()) + " on";
      refuse(error_kind::format, "config is not JSON" + behind + ": " + std::string{problem.what()},
             "write __metadata__.config as a JSON object with top_k");
    }
    if (!object_.is_object())
      refuse(error_kind::format, "config is " + value_text(object_), "write a JSON object with top_k");
    if (!twice.empty()) refuse(error_kind::format, "config has the key " + shown(twice) + " twice", "keep one of them");
  }

  [[nodiscard]] bool has(char const* name) const { return object_.contains(name); }
  [[nodiscard]] json const* find(char const* name) {
    known_.emplace_back(name);
    auto const found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  void count(char const* name, index_t& to) {
    json const* const value = find(name);
    if (value == nullptr) return;
    constexpr index_t most = index_t{1} << 30;
    if (!value->is_number_integer()) wrong(name, *value, "a whole number of at least 1");
    if (*value < 1 || *value > most) out_of_range(name, *value, "1 to " + std::to_string(most));
    to = value->get<index_t>();
  }
  void flag(char const* name, bool& to) {
    json const* const value = find(name);
    if (value == nullptr) return;
    if (!value->is_boolean()) wrong(name, *value, "true or false");
    to = value->get<bool>();
  }
  /// A number from `least` on; null without one.
  json const* number(char const* name, char const* fits) {
    json const* const value = find(name);
    if (value != nullptr && !value->is_number()) wrong(name, *value, fits);
    return value;
  }
  void coefficient(char const* name, std::optional<double>& to) {
    json const* const value = number(name, "a number of at least 0");
    if (value == nullptr) return;
    to = value->get<double>();
    if (!(*to >= 0)) out_of_range(name, *value, "a number of at least 0");
  }
  template <class Kind, std::size_t Count>
  void word(char const* name, std::array<char const*, Count> const& names, Kind& to) {
    json const* const value = find(name);
    if (value == nullptr) return;
    std::string list;
    for (std::size_t i = 0; i < Count; ++i) {
      if (value->is_string() && value->get<std::string>() == names[i]) {
        to = static_cast<Kind>(i);
        return;
      }
      list.append(i == 0 ? "" : ", ").append(names[i]);
    }
    wrong(name, *value, "one of " + list);
  }
  /// To be called last.
  void require_known() const {
    for (auto const& [key, value] : object_.items()) {
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      std::string list;
      for (std::string const& name : known_) list.append(list.empty() ? "" : ", ").append(name);
      refuse(error_kind::format, "config has the unknown key " + shown(key) + " = " + value_text(value), "use " + list);
    }
  }

  [[noreturn]] void wrong(char const* name, json const& value, std::string const& fits) const {
    refuse(error_kind::format, std::string{"config."} + name + " is " + value_text(value), "use " + fits);
  }
  [[noreturn]] void out_of_range(char const* name, json const& value, std::string const& fits) const {
    refuse(error_kind::argument, std::string{"config."} + name + " is " + value_text(value), "use " + fits);
  }
  [[noreturn]] void refuse(error_kind kind, std::string const& what, std::string const& hint) const {
    throw error(kind, where_ + ": " + what, hint);
  }

 private:
  json object_;
  std::string where_;
  std::vector<std::string> known_;
};

}  // namespace

char const* name_of(activation_kind kind) { return activation_names[static_cast<std::size_t>(kind)]; }

config parse_config(std::string const& text, std::string const& where) {
  fields from{text, where};
  config is;
  if (!from.has("top_k"))
    from.refuse(error_kind::format, "config has no top_k", "give the number of experts a token goes to, 1 or more");
  from.count("top_k", is.top_k);
  from.word("score", score_names, is.score);
  from.word("score_order", order_names, is.score_order);
  from.flag("normalize", is.normalize);
  if (json const* const scale = from.number("scale", "a number")) is.scale = scale->get<double>();
  from.count("groups", is.groups);
  is.groups_kept = is.groups;
  from.count("groups_kept", is.groups_kept);
  from.word("group_score", group_names, is.group_score);
  from.word("activation", activation_names, is.activation);
  from.word("glu_layout", layout_names, is.glu_layout);
  from.coefficient("capacity_factor", is.capacity_factor);
  from.word("drop", drop_names, is.drop);
  from.flag("pad_to_capacity", is.pad_to_capacity);
  constexpr double most_padded = 1e6;
  if (is.capacity_factor && !(*is.capacity_factor > 0))
    from.out_of_range("capacity_factor", *is.capacity_factor, "a number above 0, or leave it out to drop nothing");
  if (is.pad_to_capacity && is.capacity_factor.value_or(0) > most_padded)
    from.out_of_range("capacity_factor", *is.capacity_factor, "a number up to 1e6, or leave out pad_to_capacity");
  from.coefficient("aux_loss_coeff", is.aux_loss_coeff);
  from.word("aux_loss", loss_names, is.aux_loss);
  from.count("sequence_length", is.sequence_length);
  from.coefficient("z_loss_coeff", is.z_loss_coeff);
  from.coefficient("bias_update_rate", is.bias_update_rate);
  from.word("bias_update", update_names, is.bias_update);
  from.require_known();
  return is;
}

void check_config(config const& is, index_t tokens, index_t experts, std::string const& where) {
  auto const refuse = [&](char const* name, std::string const& value, std::string const& hint) {
    throw error(error_kind::shape, where + ": config." + name + " is " + value, hint);
  };
  std::string const all = std::to_string(experts) + " experts";
  if (is.top_k > experts) {
    refuse("top_k", std::to_string(is.top_k) + ", the router has " + all,
           "use 1 to " + std::to_string(std::min(experts, heddle::kernel::most_slots)));
  }
  if (is.top_k > heddle::kernel::most_slots) {
    refuse("top_k", std::to_string(is.top_k) + ", more than a token can choose",
           "use 1 to " + std::to_string(heddle::kernel::most_slots));
  }
  if (is.score_order == order_kind::post && is.score != score_kind::softmax) {
    refuse("score_order",
           std::string{"\"post\" with the score \""} + score_names[static_cast<std::size_t>(is.score)] + "\"",
           "use pre, or the score softmax");
  }
  if (experts % is.groups != 0) {
    std::string fits;
    for (index_t groups = 1; groups <= experts && fits.size() < 60; ++groups) {
      if (experts % groups == 0) fits.append(fits.empty() ? "" : ", ").append(std::to_string(groups));
    }
    refuse("groups", std::to_string(is.groups) + ", which does not divide the " + all, "use " + fits);
  }
  if (is.groups_kept > is.groups) {
    refuse("groups_kept", std::to_string(is.groups_kept) + " of " + std::to_string(is.groups) + " groups",
           "use 1 to " + std::to_string(is.groups));
  }
  bool const chooses_groups = is.groups_kept < is.groups;
  if (chooses_groups && is.groups > heddle::kernel::most_groups) {
    refuse("groups", std::to_string(is.groups) + ", more than can be compared",
           "use up to " + std::to_string(heddle::kernel::most_groups) + ", or keep all");
  }
  if (chooses_groups && is.groups_kept > heddle::kernel::most_slots) {
    refuse("groups_kept", std::to_string(is.groups_kept) + ", more than a token can choose",
           "use 1 to " + std::to_string(heddle::kernel::most_slots) + ", or keep all");
  }
  index_t const size = experts / is.groups;
  if (is.top_k > is.groups_kept * size) {
    refuse("groups_kept",
           std::to_string(is.groups_kept) + ", groups of " + std::to_string(size) + " experts have too few for top_k " +
               std::to_string(is.top_k),
           "use " + std::to_string((is.top_k + size - 1) / size) + " to " + std::to_string(is.groups) +
               ", or top_k up to " + std::to_string(is.groups_kept * size));
  }
  if (chooses_groups && is.group_score == group_kind::top2 && size < 2) {
    refuse("group_score", "\"top2\" with groups of " + std::to_string(size) + " expert",
           "use max or topm, or groups up to " + std::to_string(experts / 2));
  }
  if (is.pad_to_capacity && !is.capacity_factor) {
    refuse("pad_to_capacity", "true without capacity_factor", "give capacity_factor, or leave pad_to_capacity out");
  }
  if (!is.aux_loss_coeff || is.aux_loss != loss_kind::sequence) return;
  if (is.sequence_length == 0) {
    refuse("sequence_length", "missing, the aux_loss sequence needs it",
           "give a divisor of the " + std::to_string(tokens) + " tokens");
  }
  if (tokens % is.sequence_length != 0) {
    refuse("sequence_length",
           std::to_string(is.sequence_length) + ", the " + std::to_string(tokens) + " tokens are no multiple of it",
           "use a divisor of " + std::to_string(tokens));
  }
}

}  // namespace probe
