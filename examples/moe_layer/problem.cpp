// SPDX-License-Identifier: Apache-2.0
#include "problem.hpp"

#include <algorithm>
#include <heddle/checkpoint/open.hpp>
#include <heddle/checkpoint/read.hpp>
#include <memory>

namespace probe {

namespace {

using heddle::error;
using heddle::error_kind;
using heddle::shape_t;
using heddle::checkpoint::archive;
using heddle::checkpoint::shown;
using heddle::checkpoint::stored_dtype;
using heddle::checkpoint::tensor_info;

constexpr std::array floating_names{
    tensor_name::hidden,           tensor_name::router_weight,      tensor_name::router_bias,
    tensor_name::expert_bias,      tensor_name::gate_up_proj,       tensor_name::down_proj,
    tensor_name::gate_up_bias,     tensor_name::down_bias,          tensor_name::shared_gate_up_proj,
    tensor_name::shared_down_proj, tensor_name::shared_gate_weight, tensor_name::grad_output,
};

/// A size and the letter it goes by: {"2F", 24}.
struct axis {
  std::string letter;
  index_t size;
};
using axes = std::vector<axis>;

std::string text_of(shape_t const& shape) { return heddle::checkpoint::detail::text_of(shape); }
std::string letters_of(axes const& expected) {
  std::string list;
  for (axis const& each : expected) list.append(list.empty() ? "[" : ", ").append(each.letter);
  return list + "]";
}
std::string text_of(axes const& expected) {
  shape_t sizes;
  for (axis const& each : expected) sizes.push_back(each.size);
  return letters_of(expected) + " = " + text_of(sizes);
}

/// The tensors of one file, before any is read.
class contents {
 public:
  explicit contents(std::string path) : path_{std::move(path)}, file_{heddle::checkpoint::open(path_)} {
    require_known_names();
    require_types();
  }

  [[nodiscard]] std::string const& path() const { return path_; }
  [[nodiscard]] archive const& file() const { return file_; }
  [[nodiscard]] stored_dtype type() const { return file_.find(tensor_name::hidden)->type; }
  [[nodiscard]] bool has(char const* name) const { return file_.find(name) != nullptr; }

  [[nodiscard]] std::string config_text() const {
    auto const found = file_.metadata().find("config");
    if (found != file_.metadata().end()) return found->second;
    throw error(error_kind::format, path_ + ": __metadata__ has no config",
                "write __metadata__.config as a JSON object with top_k");
  }

  /// The shape of a tensor that must be there and have as many axes as `expected`, whose sizes are not looked at.
  [[nodiscard]] shape_t const& shape_like(char const* name, axes const& expected) const {
    tensor_info const* const found = file_.find(name);
    if (found == nullptr) {
      throw error(error_kind::format, path_ + ": there is no tensor " + shown(name),
                  "give " + std::string{name} + " " + letters_of(expected));
    }
    if (found->shape.size() != expected.size()) misshapen(*found, letters_of(expected), {});
    return found->shape;
  }
  /// Throws unless the tensor, where it is there, has the shape.
  void expect(char const* name, axes const& expected, std::string const& why) const {
    tensor_info const* const found = file_.find(name);
    if (found == nullptr) return;
    shape_t sizes;
    for (axis const& each : expected) sizes.push_back(each.size);
    if (found->shape != sizes) misshapen(*found, text_of(expected), why);
  }
  void require_both(char const* one, char const* other) const {
    if (has(one) == has(other)) return;
    char const* const missing = has(one) ? other : one;
    throw error(error_kind::format,
                path_ + ": there is no tensor " + shown(missing) + ", and there is " + shown(has(one) ? one : other),
                std::string{"give both, or neither"});
  }

  template <class T>
  [[nodiscard]] array<T> read(tensor_info const& tensor) const {
    array<T> result{tensor.shape, {}};
    heddle::box const all = heddle::box::all(tensor.shape);
    result.values.resize(static_cast<std::size_t>(all.count()));
    heddle::checkpoint::read<T>(file_, tensor.name, all, result.values);
    return result;
  }

 private:
  void require_known_names() const {
    std::string list;
    for (char const* const name : floating_names) list.append(name).append(", ");
    list += tensor_name::padding_mask;
    for (tensor_info const& tensor : file_.tensors()) {
      bool const known = tensor.name == tensor_name::padding_mask ||
                         std::find(floating_names.begin(), floating_names.end(), tensor.name) != floating_names.end();
      if (!known) throw error(error_kind::format, path_ + ": unknown tensor " + shown(tensor.name), "use " + list);
    }
  }
  void require_types() const {
    static_cast<void>(shape_like(tensor_name::hidden, {{"T", 0}, {"H", 0}}));
    for (tensor_info const& tensor : file_.tensors()) {
      auto const wrong = [&](std::string const& expected, std::string const& hint) {
        throw error(error_kind::unsupported,
                    path_ + ": tensor " + shown(tensor.name) + " is " + std::string{name_of(tensor.type)} +
                        ", expected " + expected,
                    hint);
      };
      bool const real = tensor.type == stored_dtype::f32 || tensor.type == stored_dtype::f64;
      if (tensor.name == tensor_name::padding_mask) {
        if (tensor.type != stored_dtype::boolean) wrong("BOOL", "give BOOL [T], true = padding");
      } else if (!real) {
        wrong("F32 or F64", "give all floating tensors as F32, or all as F64");
      }
    }
    for (char const* const name : floating_names) {
      tensor_info const* const tensor = file_.find(name);
      if (tensor == nullptr || tensor->type == type()) continue;
      throw error(error_kind::unsupported,
                  path_ + ": tensor " + shown(name) + " is " + std::string{name_of(tensor->type)} + ", 'hidden' is " +
                      std::string{name_of(type())},
                  "give all floating tensors as F32, or all as F64");
    }
  }
  [[noreturn]] void misshapen(tensor_info const& tensor, std::string const& expected, std::string const& why) const {
    throw error(
        error_kind::shape,
        path_ + ": tensor " + shown(tensor.name) + " has the shape " + text_of(tensor.shape) + ", expected " + expected,
        why);
  }

  std::string path_;
  archive file_;
};

struct sizes {
  index_t tokens, hidden, experts, width, shared;
};

/// Each letter is measured at one tensor; every other tensor must agree.
sizes measure(contents const& from, config const& settings) {
  shape_t const& x = from.shape_like(tensor_name::hidden, {{"T", 0}, {"H", 0}});
  shape_t const& router = from.shape_like(tensor_name::router_weight, {{"E", 0}, {"H", 0}});
  static_cast<void>(
      from.shape_like(tensor_name::gate_up_proj, {{"E", 0}, {gated(settings.activation) ? "2F" : "F", 0}, {"H", 0}}));
  shape_t const& down = from.shape_like(tensor_name::down_proj, {{"E", 0}, {"H", 0}, {"F", 0}});
  from.require_both(tensor_name::shared_gate_up_proj, tensor_name::shared_down_proj);
  sizes result{x[0], x[1], router[0], down[2], 0};
  if (from.has(tensor_name::shared_down_proj))
    result.shared = from.shape_like(tensor_name::shared_down_proj, {{"H", 0}, {"S", 0}})[1];
  if (from.has(tensor_name::shared_gate_weight) && !from.has(tensor_name::shared_down_proj)) {
    throw error(error_kind::format, from.path() + ": there is 'shared.gate.weight' and no shared expert",
                "give shared.gate_up_proj and shared.down_proj, or leave the gate out");
  }
  for (auto const& [name, letter, size] :
       {std::tuple{tensor_name::hidden, "H", result.hidden}, {tensor_name::router_weight, "E", result.experts}}) {
    if (size > 0) continue;
    throw error(error_kind::shape,
                from.path() + ": tensor " + shown(name) + " has the shape " + text_of(from.file().at(name).shape) +
                    ", " + letter + " is 0",
                std::string{"use 1 or more for "} + letter);
  }
  return result;
}

void check_shapes(contents const& from, config const& settings, sizes const& is) {
  bool const gate = gated(settings.activation);
  std::string const activation =
      std::string{"the activation "} + name_of(settings.activation) + (gate ? " has gate and up rows" : " has no gate");
  axis const tokens{"T", is.tokens}, hidden{"H", is.hidden}, experts{"E", is.experts}, width{"F", is.width};
  axis const shared{"S", is.shared};
  axis const lines = gate ? axis{"2F", 2 * is.width} : width;
  axis const shared_lines = gate ? axis{"2S", 2 * is.shared} : shared;
  std::string const by_hidden = "H is taken from hidden, E from router.weight, F from down_proj";
  std::string const by_activation = by_hidden + "; " + activation;
  from.expect(tensor_name::router_weight, {experts, hidden}, by_hidden);
  from.expect(tensor_name::router_bias, {experts}, by_hidden);
  from.expect(tensor_name::expert_bias, {experts}, by_hidden);
  from.expect(tensor_name::down_proj, {experts, hidden, width}, by_hidden);
  from.expect(tensor_name::gate_up_proj, {experts, lines, hidden}, by_activation);
  from.expect(tensor_name::gate_up_bias, {experts, lines}, by_activation);
  from.expect(tensor_name::down_bias, {experts, hidden}, by_hidden);
  from.expect(tensor_name::shared_down_proj, {hidden, shared}, "H is taken from hidden");
  from.expect(tensor_name::shared_gate_up_proj, {shared_lines, hidden},
              "S is taken from shared.down_proj; " + activation);
  from.expect(tensor_name::shared_gate_weight, {{"1", 1}, hidden}, "H is taken from hidden");
  from.expect(tensor_name::grad_output, {tokens, hidden}, "it has the shape of hidden");
  from.expect(tensor_name::padding_mask, {tokens}, "one value a token");
}

template <class T>
problem<T> read_as(contents const& from, config const& settings, sizes const& is) {
  problem<T> result{.settings = settings,
                    .tokens = is.tokens,
                    .hidden = is.hidden,
                    .experts = is.experts,
                    .width = is.width,
                    .shared_width = is.shared,
                    .tensors = {},
                    .padding = {}};
  for (tensor_info const& tensor : from.file().tensors()) {
    if (tensor.name != tensor_name::padding_mask) {
      result.tensors.emplace(tensor.name, from.read<T>(tensor));
      continue;
    }
    // As bool, so that no byte but 0 and 1 passes.
    auto const count = static_cast<std::size_t>(is.tokens);
    auto const mask = std::make_unique<bool[]>(count);
    heddle::checkpoint::read<bool>(from.file(), tensor.name, heddle::box::all(tensor.shape), {mask.get(), count});
    result.padding.assign(mask.get(), mask.get() + count);
  }
  return result;
}

}  // namespace

any_problem read_problem(std::string const& path) {
  contents const from{path};
  config settings = parse_config(from.config_text(), path);
  sizes const is = measure(from, settings);
  check_shapes(from, settings, is);
  check_config(settings, is.tokens, is.experts, path);
  // Where every group stays none is judged, however many there are and whatever would score them.
  if (settings.groups_kept == settings.groups) settings.groups = settings.groups_kept = 1;
  if (from.type() == stored_dtype::f32) return read_as<float>(from, settings, is);
  return read_as<double>(from, settings, is);
}

}  // namespace probe
