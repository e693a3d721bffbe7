// SPDX-License-Identifier: Apache-2.0
// Dispatchers that gather tokens, and the change of grid; every dispatcher by its number.
#include "../support/train_transports.hpp"

#include <heddle/collective/regrid.hpp>
#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/dispatcher/masked.hpp>
#include <heddle/layer/run_regrid.hpp>

namespace train {

namespace {

using tokens_cut = heddle::sharded<heddle::tokens, heddle::as_given>;

template <class T, class Operation>
using change_of_grid = simple_part<T, style_of<Operation>, rows_of<T>, rows_of<T>>;

}  // namespace

template <class T>
std::unique_ptr<transport_part<T>> make_transport(int dispatcher, bool weights_at_origin) {
  if (dispatcher == 0) return transport_of<T, heddle::masked<ep, etp, tokens_cut>>(weights_at_origin);
  if (dispatcher == 1) return transport_of<T, heddle::all_gather_dispatcher<>>(weights_at_origin);
  if (dispatcher == 9) return transport_of<T, heddle::masked<>>(weights_at_origin);
  if (dispatcher < 6) return make_exchanging<T>(dispatcher, weights_at_origin);
  return make_storing<T>(dispatcher, weights_at_origin);
}

template <class T>
std::unique_ptr<rows_part<T>> make_regrid(bool there) {
  if (there) return std::make_unique<change_of_grid<T, heddle::regrid<>>>();
  return std::make_unique<change_of_grid<T, heddle::regrid_back<>>>();
}

template std::unique_ptr<transport_part<float>> make_transport<float>(int, bool);
template std::unique_ptr<transport_part<double>> make_transport<double>(int, bool);
template std::unique_ptr<rows_part<float>> make_regrid<float>(bool);
template std::unique_ptr<rows_part<double>> make_regrid<double>(bool);

}  // namespace train
