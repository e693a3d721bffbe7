// SPDX-License-Identifier: Apache-2.0
// Dispatchers that store rows in peers' memory.
#include "../support/train_transports.hpp"

#include <heddle/dispatcher/direct.hpp>
#include <heddle/dispatcher/flex.hpp>

namespace train {

template <class T>
std::unique_ptr<transport_part<T>> make_storing(int dispatcher, bool weights_at_origin) {
  using heddle::direct_dispatcher;
  using heddle::on_overflow;
  if (dispatcher == 6) return transport_of<T, direct_dispatcher<>>(weights_at_origin);
  if (dispatcher == 7) return transport_of<T, heddle::flex_dispatcher<ep, etp, heddle::by_direct<>>>(weights_at_origin);
  if (dispatcher == 10)
    return transport_of<T, direct_dispatcher<ep, etp, on_overflow::error, heddle::aligned_rows<8>>>(weights_at_origin);
  return transport_of<T, direct_dispatcher<ep, etp, on_overflow::error, heddle::deduplicated>>(weights_at_origin);
}

template std::unique_ptr<transport_part<float>> make_storing<float>(int, bool);
template std::unique_ptr<transport_part<double>> make_storing<double>(int, bool);

}  // namespace train
