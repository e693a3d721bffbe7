// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/self_transport.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/communicator.hpp>
#include <string>
#include <vector>

#include "../../support/collective_cases.hpp"

using namespace heddle;

namespace {

/// Writes down what it was asked for, and does it.
struct writing_mover {
  std::vector<std::string>* book;

  void copy(void* to, void const* from, std::size_t bytes) const {
    book->push_back("copy " + std::to_string(bytes));
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  void store(void* to, void const* from, std::size_t bytes) const {
    book->push_back("store " + std::to_string(bytes));
    std::memmove(to, from, bytes);
  }
  [[nodiscard]] std::shared_ptr<std::byte[]> allocate(index_t bytes) const {
    book->push_back("allocate " + std::to_string(bytes));
    return {new std::byte[static_cast<std::size_t>(bytes)], [kept = book](std::byte* gone) {
              kept->push_back("free");
              delete[] gone;
            }};
  }
};

}  // namespace

TEST_CASE("self_transport: one rank's data goes by its mover, and its sums are what they were") {
  std::vector<std::string> book;
  {
    basic_communicator<basic_self_transport<writing_mover>> group{basic_self_transport<writing_mover>{{&book}}};
    std::vector<float> const send{1, 2, 3};
    std::vector<float> recv(3);
    std::vector<index_t> const two{2};
    group.all_gather(send, std::span{recv});
    CHECK(recv == send);
    recv = {7, 8, 9};
    group.all_to_all(send, two, std::span{recv}, two);
    CHECK(recv == std::vector<float>{1, 2, 9});
    group.all_reduce(std::span{recv});
    group.broadcast(std::span{recv}, 0);
    CHECK(book == std::vector<std::string>{"copy 12", "copy 8"});
    book.clear();
    auto part = group.split(1, 1);
    auto const memory = part.symmetric(16);
    part.put(0, 8, std::span<float const>{send}.first(2));
    part.fence();
    CHECK(memory.at<float>(8, 2)[1] == 2.0F);
    CHECK(part.transport().memory().peer_pointers()[0] == memory.data);
    part.symmetric(32);
    CHECK(book == std::vector<std::string>{"allocate 16", "store 8", "free", "allocate 32"});
    CHECK(collective_cases::everything(part) == "");
  }
  CHECK(book.back() == "free");
}
