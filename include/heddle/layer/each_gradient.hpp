// SPDX-License-Identifier: Apache-2.0
// The gradients of a style or layer one by one, each with the operation that it belongs to.
#pragma once

#include <array>
#include <heddle/core/type_id.hpp>
#include <heddle/layer/backward.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// visit(parameterised operation, gradient view, index among the parameters of the whole), in forward order.
template <class Style>
struct gradient_visitor {
  using operations = typename parameterised_in<typename Style::forward>::type;
  static constexpr std::size_t count = operations::size;

  template <std::size_t First, class Gradients, class Visit>
  static void visit(Gradients const& gradients, Visit const& each) {
    visit_all<First>(gradients, each, operations{});
  }

 private:
  template <std::size_t First, class Gradients, class Visit, class... Operations>
  static void visit_all(Gradients const& gradients, Visit const& each, type_list<Operations...>) {
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
      (each(Operations{}, gradient_of(Operations{}, gradients), std::integral_constant<std::size_t, First + Index>{}),
       ...);
    }
    (std::index_sequence_for<Operations...>{});
  }
};

template <class... Styles>
struct gradient_visitor<layer<Styles...>> {
  using entries = back_runner<layer<Styles...>>;

  template <std::size_t First, class Gradients, class Visit>
  static void visit(Gradients const& gradients, Visit const& each) {
    from<0, First>(gradients, each);
  }

 private:
  template <std::size_t Index, std::size_t First, class Gradients, class Visit>
  static void from(Gradients const& gradients, Visit const& each) {
    if constexpr (Index < entries::count) {
      using style = typename entries::template style<Index>;
      gradient_visitor<style>::template visit<First>(entries::template entry<Index>(gradients), each);
      from<Index + 1, First + gradient_visitor<style>::count>(gradients, each);
    }
  }
};

template <class Style, class Gradients, class Visit>
void each_gradient(Gradients const& gradients, Visit const& visit) {
  gradient_visitor<Style>::template visit<0>(gradients, visit);
}

/// The gradients met so far. One that several operations share is visited once.
template <std::size_t Capacity>
class met_gradients {
 public:
  /// Whether the gradient at `data` is new. Throws `argument` where it was met as another thing: `kind` says what its
  /// sum still needs.
  bool add(void const* data, index_t count, type_id kind) {
    for (std::size_t i = 0; i < size_; ++i) {
      if (met_[i].data != data) continue;
      if (met_[i].count == count && met_[i].kind == kind) return false;
      throw error(error_kind::argument,
                  "two parameters of " + std::to_string(met_[i].count) + " and " + std::to_string(count) +
                      " elements share one gradient, and what is in it is a sum over other groups for one than for the "
                      "other",
                  "give each its own gradient, and add the two behind the reduction");
    }
    met_[size_++] = {data, count, kind};
    return true;
  }

 private:
  struct entry {
    void const* data = nullptr;
    index_t count = 0;
    type_id kind = type_id::none;
  };
  std::array<entry, Capacity + 1> met_{};
  std::size_t size_ = 0;
};

/// As each_gradient, for every gradient that has elements, each once however many operations share its parameter.
/// `Kinds` is a list with one type a parameter: parameters that share a gradient have the same.
template <class Style, class Kinds, class Gradients, class Visit>
void each_distinct_gradient(Gradients const& gradients, Visit const& visit) {
  met_gradients<static_cast<std::size_t>(Kinds::size)> met;
  each_gradient<Style>(
      gradients, [&]<std::size_t Index>(auto operation, auto gradient, std::integral_constant<std::size_t, Index> at) {
        if (gradient.data() == nullptr || gradient.count() == 0) return;
        if (met.add(gradient.data(), gradient.count(), id_of<element_t<Kinds, static_cast<int>(Index)>>))
          visit(operation, gradient, at);
      });
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
