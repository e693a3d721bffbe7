// SPDX-License-Identifier: Apache-2.0
// Dispatchers that exchange rows.
#include "../support/train_transports.hpp"

#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/dispatcher/flex.hpp>

namespace train {

template <class T>
std::unique_ptr<transport_part<T>> make_exchanging(int dispatcher, bool weights_at_origin) {
  using heddle::all_to_all_dispatcher;
  if (dispatcher == 2) return transport_of<T, all_to_all_dispatcher<>>(weights_at_origin);
  if (dispatcher == 3)
    return transport_of<T, all_to_all_dispatcher<ep, etp, heddle::aligned_rows<8>>>(weights_at_origin);
  if (dispatcher == 4) return transport_of<T, all_to_all_dispatcher<ep, etp, heddle::deduplicated>>(weights_at_origin);
  return transport_of<T, heddle::flex_dispatcher<>>(weights_at_origin);
}

template std::unique_ptr<transport_part<float>> make_exchanging<float>(int, bool);
template std::unique_ptr<transport_part<double>> make_exchanging<double>(int, bool);

}  // namespace train
