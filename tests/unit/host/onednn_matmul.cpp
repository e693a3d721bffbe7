// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/onednn_matmul.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

TEST_CASE("onednn_matmul: one small product, both sides in both layouts") {
  dnnl::engine const engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream const stream{engine};
  auto const plain = dnnl::memory::format_tag::ab;
  auto const turned = dnnl::memory::format_tag::ba;
  for (auto [left, tag] : {std::pair{plain, plain}, {plain, turned}, {turned, plain}}) {
    host::onednn_matmul const product{engine, {.m = 2, .n = 2, .k = 3, .a = left, .b = tag}};
    std::vector<float> const a = left == dnnl::memory::format_tag::ab ? std::vector<float>{1, 2, 3, 4, 5, 6}
                                                                      : std::vector<float>{1, 4, 2, 5, 3, 6};
    std::vector<float> const b = tag == dnnl::memory::format_tag::ab ? std::vector<float>{1, 10, 0, 20, 2, 30}
                                                                     : std::vector<float>{1, 0, 2, 10, 20, 30};
    std::vector<float> c(4);
    host::scratch pad;
    pad.reserve(product.pad_bytes());
    product.run(engine, stream, a.data(), b.data(), c.data(), pad.as<void>());
    CHECK(c == std::vector<float>{7, 140, 16, 320});
  }
}

TEST_CASE("onednn_matmul: a product oneDNN does not have is a typed error") {
  dnnl::engine const engine{dnnl::engine::kind::cpu, 0};
  try {
    host::onednn_matmul const product{
        engine, {.m = 2, .n = 2, .k = 3, .in = dnnl::memory::data_type::u8, .out = dnnl::memory::data_type::f16}};
    FAIL("accepted");
  } catch (error const& failure) {
    CHECK(failure.kind() == error_kind::unsupported);
  }
}

TEST_CASE("onednn_matmul: what oneDNN says becomes an error with a kind, shortages of memory in every form") {
  auto const kind_of = [](auto const& body) {
    try {
      host::asking_onednn(body);
    } catch (error const& failure) {
      return failure.kind();
    }
    return error_kind::io;
  };
  CHECK(kind_of([] { throw dnnl::error(dnnl_out_of_memory, "could not create a memory object"); }) ==
        error_kind::workspace);
  CHECK(kind_of([] { throw dnnl::error(dnnl_unimplemented, "could not create a primitive"); }) ==
        error_kind::unsupported);
  CHECK(kind_of([] { throw std::bad_alloc{}; }) == error_kind::workspace);
  CHECK(kind_of([] { throw std::logic_error{"Broken promise"}; }) == error_kind::workspace);
  CHECK(kind_of([] {}) == error_kind::io);
  CHECK(host::asking_onednn([] { return 7; }) == 7);
}
