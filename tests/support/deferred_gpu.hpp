// SPDX-License-Identifier: Apache-2.0
// A device that is none: its memory cannot be touched, and what is put into its queue is written down and done only
// when somebody waits. A layer that reads device memory on the host ends the program; one that supposes that a kernel
// is done reads poison. What was written down in a capture can be done again with other inputs, as a CUDA graph is.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <heddle/collective/communicator.hpp>
#include <heddle/collective/self_transport.hpp>
#include <heddle/concepts/execution.hpp>
#include <heddle/concepts/symmetric.hpp>
#include <heddle/cuda/order_pairs.hpp>
#include <heddle/host/reference_gemm.hpp>
#include <heddle/layer/owned_counts.hpp>
#include <list>
#include <memory>
#include <stdexcept>
#include <sys/mman.h>
#include <utility>
#include <vector>

namespace support {

using heddle::device_memory;
using heddle::index_t;

/// The device: memory, a queue, and how often somebody waited.
class deferred_gpu {
 public:
  explicit deferred_gpu(std::size_t bytes = std::size_t{1} << 24) : bytes_{bytes} {
    void* const there = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (there == MAP_FAILED) throw std::bad_alloc{};
    memory_ = static_cast<std::byte*>(there);
  }
  deferred_gpu(deferred_gpu const&) = delete;
  deferred_gpu& operator=(deferred_gpu const&) = delete;
  ~deferred_gpu() { munmap(memory_, bytes_); }

  /// Memory of the device that is poisoned when the queue comes to it, until `free_behind`.
  template <class T>
  [[nodiscard]] T* allocate(index_t count) {
    constexpr std::size_t line = 256;
    std::size_t const size = static_cast<std::size_t>(count) * sizeof(T);
    std::byte* const place = memory_ + used_;
    used_ += (size + line - 1) / line * line;
    if (used_ > bytes_) throw std::runtime_error{"the device of a test is too small"};
    put([place, size] { std::memset(place, 0x7f, size); });
    return reinterpret_cast<T*>(place);
  }
  [[nodiscard]] std::size_t used() const { return used_; }
  void free_behind(std::size_t used) { used_ = used; }
  [[nodiscard]] bool owns(void const* data) const { return data >= memory_ && data < memory_ + bytes_; }

  /// Behind all that was put before; nothing is done yet.
  template <class Work>
  void put(Work work) {
    (capturing_ ? captured_ : queue_).push_back(std::move(work));
  }
  /// Does what is in the queue.
  void wait() {
    if (capturing_) throw std::logic_error{"a captured step waits"};
    ++waits_;
    std::vector<std::function<void()>> const now = std::exchange(queue_, {});
    open(now);
  }
  [[nodiscard]] int waits() const { return waits_; }

  /// Between these two, the queue is written down and not done.
  void begin_capture() {
    wait();
    capturing_ = true;
    captured_.clear();
  }
  void end_capture() { capturing_ = false; }
  /// Puts into the queue what was captured, once more.
  void replay() {
    put([this] {
      for (auto const& work : captured_) work();
    });
  }
  [[nodiscard]] std::size_t captured() const { return captured_.size(); }

  /// What a caller of the library does outside a step: data there and back.
  template <class T>
  void write(T* there, std::vector<T> const& values) {
    put([there, values] { std::copy(values.begin(), values.end(), there); });
  }
  template <class T>
  [[nodiscard]] T* write(std::vector<T> const& values) {
    T* const there = allocate<T>(static_cast<index_t>(values.size()));
    write(there, values);
    return there;
  }
  template <class T>
  [[nodiscard]] std::vector<std::remove_const_t<T>> read(T* there, index_t count) {
    std::vector<std::remove_const_t<T>> values(static_cast<std::size_t>(count));
    put([there, count, &values] { std::copy(there, there + count, values.begin()); });
    wait();
    return values;
  }
  template <class View>
  [[nodiscard]] auto read(View const& view) {
    return read(view.data(), view.count());
  }

 private:
  void open(std::vector<std::function<void()>> const& works) {
    struct gate {
      deferred_gpu* of;
      explicit gate(deferred_gpu* owner) : of{owner} { mprotect(of->memory_, of->bytes_, PROT_READ | PROT_WRITE); }
      ~gate() { mprotect(of->memory_, of->bytes_, PROT_NONE); }
    } const held{this};
    for (auto const& work : works) work();
  }

  std::size_t bytes_, used_ = 0;
  std::byte* memory_ = nullptr;
  bool capturing_ = false;
  int waits_ = 0;
  std::vector<std::function<void()>> queue_, captured_;
};

/// Moves its bytes, when the queue comes to it.
class deferred_mover {
 public:
  explicit deferred_mover(deferred_gpu& on) : on_{&on} {}
  void copy(void* to, void const* from, std::size_t bytes) const {
    if (bytes == 0) return;
    if (!on_->owns(to) || !on_->owns(from)) throw std::logic_error{"a collective of host memory"};
    on_->put([=] { std::memcpy(to, from, bytes); });
  }
  void store(void* to, void const* from, std::size_t bytes) const {
    if (to != from) copy(to, from, bytes);
  }
  [[nodiscard]] std::shared_ptr<std::byte[]> allocate(index_t bytes) const {
    return {on_->allocate<std::byte>(bytes), [](std::byte*) {}};
  }

 private:
  deferred_gpu* on_;
};

/// The group of one rank on it.
using deferred_group = heddle::basic_communicator<heddle::basic_self_transport<deferred_mover>>;
static_assert(heddle::peer_addressable<deferred_group>);

/// The group of one rank for what the host knows.
struct number_group {
  [[nodiscard]] static int rank() { return 0; }
  [[nodiscard]] static int size() { return 1; }
  static void all_reduce(std::span<index_t>) {}
  template <class Number>
  static void all_gather(std::span<Number const> send, std::span<Number> recv) {
    std::copy(send.begin(), send.end(), recv.begin());
  }
  static void all_to_all(std::span<index_t const> send, std::span<index_t const>, std::span<index_t> recv,
                         std::span<index_t const>) {
    std::copy(send.begin(), send.end(), recv.begin());
  }
};

/// The groups of a rank that is alone.
class groups_of_one {
 public:
  explicit groups_of_one(deferred_gpu& gpu)
      : group_{heddle::basic_self_transport<deferred_mover>{deferred_mover{gpu}}} {}
  template <class Group>
  [[nodiscard]] auto& communicator() {
    return group_;
  }
  template <class Group>
  [[nodiscard]] auto& numbers() {
    return numbers_;
  }

 private:
  deferred_group group_;
  number_group numbers_{};
};

/// Stands where cuda::execution stands. With `Captures` nothing may ask to wait. `Gpu` is a `deferred_gpu` or has its
/// members; `Groups` has `communicator` and `numbers`, and is made from it.
template <bool Captures = false, class Gpu = deferred_gpu, class Groups = groups_of_one>
class deferred_execution {
 public:
  using memory = device_memory;
  static constexpr bool captures = Captures;

  explicit deferred_execution(Gpu& gpu) : gpu_{&gpu}, groups_{gpu} {}

  template <class Group>
  [[nodiscard]] auto& communicator() const {
    return groups_.template communicator<Group>();
  }
  template <class Group>
  [[nodiscard]] auto& numbers() const {
    return groups_.template numbers<Group>();
  }
  [[nodiscard]] Gpu& gpu() const { return *gpu_; }

  template <class X, class W, class Y>
  void multiply(heddle::rows<X, memory> x, heddle::matrix<W const, memory> w, heddle::rows<Y, memory> y) const {
    put([=](auto& gemm) { gemm.multiply(reading(x), here(w), here(y), 1); });
  }
  template <class X, class W, class Y>
  void multiply_transposed(heddle::rows<X, memory> x, heddle::matrix<W const, memory> w,
                           heddle::rows<Y, memory> y) const {
    put([=](auto& gemm) { gemm.multiply_transposed(reading(x), here(w), here(y), 1); });
  }
  template <class Dy, class X, class Dw>
  void accumulate_outer(heddle::rows<Dy, memory> dy, heddle::rows<X, memory> x, heddle::matrix<Dw, memory> dw) const {
    put([=](auto& gemm) { gemm.accumulate_outer(reading(dy), reading(x), here(dw), 1); });
  }
  template <class X, class W, class Y>
  void multiply_grouped(heddle::rows<X, memory> x, heddle::counts<memory> const& counts,
                        heddle::matrices<W const, memory> w, heddle::rows<Y, memory> y) const {
    put_grouped(counts, y, [=](auto& gemm, auto const& sizes, index_t used) {
      gemm.multiply_grouped(first(reading(x), used), sizes, here(w), first(here(y), used), 1);
    });
  }
  template <class X, class W, class Y>
  void multiply_transposed_grouped(heddle::rows<X, memory> x, heddle::counts<memory> const& counts,
                                   heddle::matrices<W const, memory> w, heddle::rows<Y, memory> y) const {
    put_grouped(counts, y, [=](auto& gemm, auto const& sizes, index_t used) {
      gemm.multiply_transposed_grouped(first(reading(x), used), sizes, here(w), first(here(y), used), 1);
    });
  }
  template <class Dy, class X, class Dw>
  void accumulate_outer_grouped(heddle::rows<Dy, memory> dy, heddle::counts<memory> const& counts,
                                heddle::rows<X, memory> x, heddle::matrices<Dw, memory> dw) const {
    put_grouped(counts, x, [=](auto& gemm, auto const& sizes, index_t used) {
      gemm.accumulate_outer_grouped(first(reading(dy), used), sizes, first(reading(x), used), here(dw), 1);
    });
  }

  template <class Kernel>
  void launch(Kernel const& kernel, index_t count) const {
    static_assert(std::is_trivially_copyable_v<Kernel> && sizeof(Kernel) <= 4096);
    gpu_->put([kernel, count] {
      for (index_t row = 0; row < count; ++row) kernel(heddle::serial_team{}, row);
    });
  }
  template <class Element>
  [[nodiscard]] Element* allocate(index_t count) const {
    return gpu_->template allocate<Element>(count);
  }
  template <class Type>
  [[nodiscard]] Type* allocate_here(index_t count) const {
    auto& block = here_.emplace_back((static_cast<std::size_t>(count) * sizeof(Type) + 16) / 16);
    return reinterpret_cast<Type*>(block.data());
  }
  [[nodiscard]] index_t* allocate_counts(index_t count) const { return allocate_here<index_t>(count); }
  template <class Element>
  void fill_zero(Element* data, index_t count) const {
    check(data, count);
    gpu_->put([=] { std::fill(data, data + count, Element{}); });
  }
  struct loan {};
  [[nodiscard]] loan lending() const { return {}; }
  template <class Element>
  [[nodiscard]] Element* lend(index_t count) const {
    return allocate<Element>(count);
  }
  [[nodiscard]] std::size_t now() const { return gpu_->used(); }
  [[nodiscard]] bool allocated_since(std::size_t then, void const* data) const {
    return gpu_->owns(data) &&
           static_cast<std::byte const*>(data) >= gpu_->template allocate<std::byte>(0) - (now() - then);
  }
  template <class Element>
  [[nodiscard]] Element* keep_only(std::size_t then, Element* data, index_t count) const {
    if (!allocated_since(then, data)) return data;
    gpu_->free_behind(then);
    using value = std::remove_const_t<Element>;
    auto* const to =
        reinterpret_cast<value*>(gpu_->template allocate<std::byte>(0));  // poison would fall on what is kept
    gpu_->put([=] { std::memmove(to, data, static_cast<std::size_t>(count) * sizeof(value)); });
    gpu_->free_behind(then + (static_cast<std::size_t>(count) * sizeof(value) + 255) / 256 * 256);
    return to;
  }
  [[nodiscard]] heddle::counts<memory> order_by_expert(heddle::slot_view<std::int32_t const, memory> ids, index_t first,
                                                       index_t experts, std::span<std::int32_t> row_to_token,
                                                       std::span<std::int32_t> row_to_slot,
                                                       heddle::slot_view<std::int32_t, memory> slot_to_row) const {
    return heddle::cuda::order_pairs(
        *this, ids, first, experts, {row_to_token, row_to_slot, slot_to_row},
        [this](std::span<std::int32_t> list) { gpu_->put([list] { std::fill(list.begin(), list.end(), -1); }); });
  }
  /// They are copied at the call.
  [[nodiscard]] heddle::per_row<index_t const, memory> visible(std::span<index_t const> counts) const {
    return {gpu_->write(std::vector<index_t>(counts.begin(), counts.end())),
            heddle::extents<heddle::tokens>{static_cast<index_t>(counts.size())}};
  }
  template <class Number>
  void fetch(heddle::host_sync, heddle::per_row<Number const, memory> there, std::span<Number> into) const {
    gpu_->put([=] { std::copy(there.data(), there.data() + into.size(), into.begin()); });
    gpu_->wait();
  }

 private:
  template <class Element, class Extents>
  static heddle::view<Element, Extents> here(heddle::view<Element, Extents, memory> x) {
    return {x.data(), x.shape()};
  }
  template <class X>
  static heddle::rows<std::remove_const_t<X> const> reading(heddle::rows<X, memory> x) {
    return {x.data(), x.shape()};
  }
  template <class X>
  static heddle::rows<X> first(heddle::rows<X> x, index_t used) {
    if (used > x.shape()[0]) throw std::logic_error{"counts beyond the rows"};
    return {x.data(), {used, x.shape()[1]}};
  }
  template <class Element>
  void check(Element* data, index_t count) const {
    if (count > 0 && !gpu_->owns(data)) throw std::logic_error{"a fill of host memory"};
  }
  template <class Product>
  void put(Product const& product) const {
    gpu_->put([gemm = &gemm_, product] { product(*gemm); });
  }
  /// What is behind the rows that are counted keeps its poison: nobody may look there.
  template <class Rows, class Product>
  void put_grouped(heddle::counts<memory> const& counts, Rows const&, Product const& product) const {
    put([begins = heddle::cuda::begins_on(*this, counts), product](auto& gemm) {
      std::vector<index_t> sizes;
      for (index_t g = 0; g + 1 < begins.count(); ++g) sizes.push_back(begins(g + 1) - begins(g));
      product(gemm, std::span<index_t const>{sizes}, begins(begins.count() - 1));
    });
  }

  Gpu* gpu_;
  Groups mutable groups_;
  heddle::host::reference_gemm mutable gemm_{};
  std::list<std::vector<std::max_align_t>> mutable here_{};
};

}  // namespace support
