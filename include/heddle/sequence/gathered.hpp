// SPDX-License-Identifier: Apache-2.0
// A branch whose parameters are shared out over a group (FSDP, ZeRO-3): an all_gather brings them together before use,
// and its conjugate, a reduce_scatter, leaves each rank the sum of its part's gradient. Tokens are dealt over the same
// group, so the sum that the gradients were waiting for is taken in it.
#pragma once

#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

namespace heddle::inline HEDDLE_ABI {

/// When parameters are gathered: for the forward pass and again for the backward pass, so that nobody holds them in
/// between, ...
struct gather_again {
  static constexpr bool keeps = false;
};
/// ... or once, for both.
struct keep_gathered {
  static constexpr bool keeps = true;
};

template <class Group, class When, class Shards, class Branch>
struct scattered;

/// `Branch` on parameters of which each rank of `Group` holds the part that `Shards` says. Any members of a `joint`
/// group may deal the tokens.
template <class Group, class When, class Shards, class Branch>
struct gathered {
  static_assert(detail::is_sequence<Branch> && detail::parameterised_in<Branch>::type::size > 0,
                "[heddle.gathered.branch] what is gathered for is not a sequence, or has no parameters. Fix: write "
                "gathered<Group, gather_again, by_rows<>, sequence<...>> around operations with weights.");
  using branch = Branch;
  using conjugate = scattered<Group, When, Shards, conjugate_t<Branch>>;
};
/// Its backward pass.
template <class Group, class When, class Shards, class Branch>
struct scattered {
  using branch = Branch;
  using conjugate = gathered<Group, When, Shards, conjugate_t<Branch>>;
};

namespace detail {

template <class Group, class When, class Shards, class Branch>
struct speaks<gathered<Group, When, Shards, Branch>> : speaks<Branch> {
  static constexpr bool value = true;
};
template <class Group, class When, class Shards, class Branch>
struct speaks<scattered<Group, When, Shards, Branch>> : speaks<Branch> {
  static constexpr bool value = true;
};
template <class Group, class When, class Shards, class Branch>
struct inputs_of<gathered<Group, When, Shards, Branch>> : inputs_of<Branch> {};
template <class Group, class When, class Shards, class Branch>
struct inputs_of<scattered<Group, When, Shards, Branch>> : inputs_of<Branch> {};

/// How tokens lie on the members of a group over which parameters are shared out, where nobody has said it yet.
template <class Members>
struct dealt_over;
template <class... Members>
struct dealt_over<type_list<Members...>> {
  using type = type_list<on<Members, sharded<tokens, as_given>>...>;
};
template <class Group>
using dealt_over_t = typename dealt_over<members_of_t<Group>>::type;

template <class Group, class When, class Shards, class Branch>
struct mentions<gathered<Group, When, Shards, Branch>> {
  using type = concat_t<dealt_over_t<Group>, typename mentions<Branch>::type>;
};
template <class Group, class When, class Shards, class Branch>
struct mentions<scattered<Group, When, Shards, Branch>> {
  using type = concat_t<dealt_over_t<Group>, typename mentions<Branch>::type>;
};

/// Tokens must be cut over every member of the group, by whatever rule.
template <class Universe, class... Entries>
constexpr void demand_dealt(flow& f, type_list<Entries...>) {
  for (std::size_t p = 0; p < static_cast<std::size_t>(f.port_count); ++p) {
    for (flow_entry const& entry : {entry_of<Entries>(static_cast<int>(index_of_v<Entries, Universe>))...}) {
      flow_entry const* const present = f.lookup(f.ports[p], entry.group);
      bool const dealt = present != nullptr && cuts(present->kind) && present->axis == entry.axis;
      if (!dealt) f.demand(f.ports[p], entry);
    }
  }
}

constexpr void forget(flow_reduction& reduction, type_id group) {
  flow_map rest;
  for (int i = 0; i < reduction.groups.count; ++i) {
    flow_entry const& entry = reduction.groups.entries[static_cast<std::size_t>(i)];
    if (entry.group != group) rest.set(entry);
  }
  reduction.groups = rest;
}

template <class Universe, class Group, class When, class Shards, class Branch>
struct trace<Universe, gathered<Group, When, Shards, Branch>> {
  static constexpr void apply(flow& f) {
    demand_dealt<Universe>(f, dealt_over_t<Group>{});
    int const first = f.parameters;
    trace<Universe, Branch>::apply(f);
    take_sums(f, first, members_of_t<Group>{});
  }

 private:
  template <class... Members>
  static constexpr void take_sums(flow& f, int first, type_list<Members...>) {
    for (int p = first; p < f.parameters; ++p) (forget(f.reductions[p], id_of<Members>), ...);
  }
};
template <class Universe, class Group, class When, class Shards, class Branch>
struct trace<Universe, scattered<Group, When, Shards, Branch>> {
  static constexpr void apply(flow& f) {
    demand_dealt<Universe>(f, dealt_over_t<Group>{});
    trace<Universe, Branch>::apply(f);
  }
};

template <class Members, class Placement>
inline constexpr bool cuts_any_of = false;
template <class Members, class... Entries>
inline constexpr bool cuts_any_of<Members, placement<Entries...>> =
    ((contains_v<typename Entries::group, Members> && Entries::state::kind == state_kind::sharded) || ...);

/// An operation as its parameter's owner sees it: the parameter is shared out too.
template <class Operation, class Group, class Shards>
struct shared_out : Operation {
  static_assert(
      !cuts_any_of<members_of_t<Group>, typename Operation::parameter>,
      "[heddle.gathered.twice] a parameter is shared out over a group that cuts it already. Fix: share it out "
      "over the group of its copies, dp for dense layers and edp for experts.");
  using parameter = concat_t<typename Operation::parameter,
                             placement<on<Group, typename Shards::template state<typename Operation::parameter>>>>;
};
template <class Group, class Shards, class Operations>
struct shared_out_all;
template <class Group, class Shards, class... Operations>
struct shared_out_all<Group, Shards, type_list<Operations...>> {
  using type = type_list<shared_out<Operations, Group, Shards>...>;
};
template <class Group, class When, class Shards, class Branch>
struct parameterised_in<gathered<Group, When, Shards, Branch>>
    : shared_out_all<Group, Shards, typename parameterised_in<Branch>::type> {};

template <class Group>
constexpr void put_parameters(text_sink& sink, std::string_view collective) {
  sink.put(collective);
  sink.put('<');
  sink.put(Group::name.view());
  sink.put(std::string_view{", parameters>"});
}
template <class Group, class When, class Shards, class Branch>
struct printer<gathered<Group, When, Shards, Branch>> {
  static constexpr void print(text_sink& sink) {
    put_parameters<Group>(sink, "all_gather");
    sink.put(' ');
    printer<Branch>::print(sink);
  }
};
template <class Group, class When, class Shards, class Branch>
struct printer<scattered<Group, When, Shards, Branch>> {
  static constexpr void print(text_sink& sink) {
    if constexpr (!When::keeps) {
      put_parameters<Group>(sink, "all_gather");
      sink.put(' ');
    }
    printer<Branch>::print(sink);
    sink.put(' ');
    put_parameters<Group>(sink, "reduce_scatter");
  }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
