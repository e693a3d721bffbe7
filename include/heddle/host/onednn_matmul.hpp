// SPDX-License-Identifier: Apache-2.0
// One oneDNN matrix multiplication of fixed sizes, ready to run on memory given call by call.
#pragma once

#include <dnnl.hpp>
#include <heddle/host/no_memory.hpp>
#include <heddle/host/scratch.hpp>
#include <heddle/tensor/view.hpp>
#include <new>
#include <stdexcept>
#include <type_traits>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// oneDNN's name of an element type.
template <real T>
inline constexpr dnnl::memory::data_type onednn_type = std::is_same_v<T, bf16>  ? dnnl::memory::data_type::bf16
                                                       : std::is_same_v<T, f16> ? dnnl::memory::data_type::f16
                                                                                : dnnl::memory::data_type::f32;

[[noreturn]] inline void refuse_product(error_kind kind, char const* what, char const* hint) {
  throw_in_words([&] { return error(kind, std::string{"oneDNN refused: "} + what, hint); }, kind);
}

/// body(), where what oneDNN says becomes an `error`: of `error_kind::workspace` where it has no memory, or else of
/// `unsupported`. oneDNN keeps products for the whole process, and one that ran out of memory stays in there as a
/// promise that nobody keeps: who asks for the same sizes again, or waits for them on another thread, has `workspace`
/// too.
template <class Body>
decltype(auto) asking_onednn(Body const& body) {
  constexpr char const* give_memory = "free memory, or run fewer tokens at a time";
  try {
    return body();
  } catch (dnnl::error const& failure) {
    if (failure.status == dnnl_out_of_memory) refuse_product(error_kind::workspace, failure.what(), give_memory);
    refuse_product(error_kind::unsupported, failure.what(), "use the reference GEMM");
  } catch (std::bad_alloc const&) {
    refuse_product(error_kind::workspace, "no memory for a product", give_memory);
  } catch (std::logic_error const&) {  // std::future_error, whose header is not worth it
    refuse_product(error_kind::workspace, "memory ran out when it made this product before",
                   "start the process again with more memory, or use the reference GEMM");
  }
}
/// The CPU as oneDNN's engine, and a stream on it. Both throw as `asking_onednn` does.
[[nodiscard]] inline dnnl::engine onednn_engine() {
  return asking_onednn([] { return dnnl::engine{dnnl::engine::kind::cpu, 0}; });
}
[[nodiscard]] inline dnnl::stream onednn_stream(dnnl::engine const& engine) {
  return asking_onednn([&] { return dnnl::stream{engine}; });
}

/// c [m, n] = a [m, k] b [k, n], all dense; a lies transposed, [k, m], and b, [n, k], where the tag is `ba`. It is
/// built for as many threads as OpenMP offers the thread that builds it. Throws `error_kind::unsupported` where
/// oneDNN has no such product, and `workspace` where it has no memory.
class onednn_matmul {
 public:
  /// Sizes, element types, and how a and b are stored.
  struct shape {
    index_t m = 0;
    index_t n = 0;
    index_t k = 0;
    dnnl::memory::data_type in = dnnl::memory::data_type::f32;
    dnnl::memory::data_type out = dnnl::memory::data_type::f32;
    dnnl::memory::format_tag a = dnnl::memory::format_tag::ab;
    dnnl::memory::format_tag b = dnnl::memory::format_tag::ab;
    friend bool operator==(shape const&, shape const&) = default;
  };

  onednn_matmul(dnnl::engine const& engine, shape const& sizes) : sizes_{sizes} {
    using dnnl::memory;
    asking_onednn([&] {
      dnnl::primitive_attr attributes;
      attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
      dnnl::matmul::primitive_desc const description(
          dnnl::matmul::desc({{sizes.m, sizes.k}, sizes.in, sizes.a}, {{sizes.k, sizes.n}, sizes.in, sizes.b},
                             {{sizes.m, sizes.n}, sizes.out, memory::format_tag::ab}),
          attributes, engine);
      primitive_ = dnnl::matmul(description);
      a_ = description.src_desc();
      b_ = description.weights_desc();
      c_ = description.dst_desc();
      pad_ = description.scratchpad_desc();
    });
  }

  [[nodiscard]] shape const& sizes() const { return sizes_; }
  /// Bytes of working memory that `run` needs.
  [[nodiscard]] index_t pad_bytes() const { return static_cast<index_t>(pad_.get_size()); }

  /// Not thread safe on one stream, thread safe on several.
  void run(dnnl::engine const& engine, dnnl::stream const& stream, void const* a, void const* b, void* c,
           void* pad) const {
    asking_onednn([&] {
      // oneDNN takes what it only reads as mutable pointers, too.
      dnnl::memory const memories[] = {
          {a_, engine, const_cast<void*>(a)}, {b_, engine, const_cast<void*>(b)}, {c_, engine, c}, {pad_, engine, pad}};
      dnnl_exec_arg_t const arguments[] = {{DNNL_ARG_SRC, memories[0].get()},
                                           {DNNL_ARG_WEIGHTS, memories[1].get()},
                                           {DNNL_ARG_DST, memories[2].get()},
                                           {DNNL_ARG_SCRATCHPAD, memories[3].get()}};
      dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), stream.get(), 4, arguments),
                              "it failed to run a product it had accepted");
    });
  }

 private:
  shape sizes_;
  dnnl::matmul primitive_;
  dnnl::memory::desc a_, b_, c_, pad_;
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
