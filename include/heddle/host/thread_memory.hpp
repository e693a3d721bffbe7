// SPDX-License-Identifier: Apache-2.0
// The symmetric memory of thread ranks: one buffer a rank, which the others write directly. Every rank holds every
// buffer, so a peer that is gone leaves no pointer dangling under a store.
#pragma once

#include <cstddef>
#include <exception>
#include <heddle/collective/fingerprint.hpp>
#include <heddle/host/no_memory.hpp>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace host {

/// One rank's pointers to the buffers of its group, which a `Mover` allocates and stores into.
template <class Mover>
class basic_thread_memory {
 public:
  explicit basic_thread_memory(Mover mover) : mover_{std::move(mover)} {}

  [[nodiscard]] std::byte* data() const { return own_; }
  [[nodiscard]] index_t bytes() const { return bytes_; }
  /// Where the buffer of every rank of the group begins, by rank, for who stores without `put`; null before there is
  /// memory. It holds until the next `grow`.
  [[nodiscard]] std::span<std::byte* const> peer_pointers() const { return pointers_; }

  /// Each rank allocates its own buffer, which places it near the rank's core, and takes its peers' from their
  /// postings. Where one has no memory, nobody has any, and the group stays usable.
  template <class Transport>
  void grow(Transport& self, index_t bytes, long sequence) {
    fingerprint print{.operation = collective_kind::symmetric, .sequence = sequence};
    std::shared_ptr<std::byte[]> made;
    std::exception_ptr own_words;
    bytes_ = 0;
    own_ = nullptr;
    try {
      buffers_.assign(static_cast<std::size_t>(self.size()), nullptr);  // the old ones first: both may not fit
      pointers_.assign(static_cast<std::size_t>(self.size()), nullptr);
      made = mover_.allocate(bytes);
    } catch (std::bad_alloc const&) {
      print.complaint = "no memory for symmetric buffers";
    } catch (error const&) {  // of a mover that has more to say
      own_words = std::current_exception();
      print.complaint = "no memory for symmetric buffers";
    }
    verdict const result = self.meet(print, &made, nullptr);
    if (!result.good()) {
      if (own_words) std::rethrow_exception(own_words);
      int const own = self.world_rank(self.rank());
      int const culprit = self.world_rank(result.culprit);
      error_kind const kind = print.complaint != nullptr ? error_kind::workspace : result.kind;
      throw_in_words(
          [&] {
            return error(kind, result.text + " of " + std::to_string(bytes) + " bytes",
                         "free memory or ask for less: a capacity or fewer tokens a rank", own)
                .blames(culprit, "symmetric", sequence);
          },
          kind);
    }
    for (int peer = 0; peer < self.size(); ++peer) {
      auto const at = static_cast<std::size_t>(peer);
      buffers_[at] = *self.template sent_by<std::shared_ptr<std::byte[]>>(peer);
      pointers_[at] = buffers_[at].get();
    }
    own_ = made.get();
    bytes_ = bytes;
    self.part();
  }

  void put(int peer, index_t offset, void const* data, std::size_t bytes) {
    mover_.store(pointers_[static_cast<std::size_t>(peer)] + offset, data, bytes);  // may be a part of the own one
  }
  void sync() const {}
  [[nodiscard]] bool flush() const { return false; }

 private:
  [[no_unique_address]] Mover mover_;
  std::vector<std::shared_ptr<std::byte[]>> buffers_;  // by rank
  std::vector<std::byte*> pointers_;                   // to them
  std::byte* own_ = nullptr;
  index_t bytes_ = 0;
};

}  // namespace host

}  // namespace heddle::inline HEDDLE_ABI
