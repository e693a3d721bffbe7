// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: any bytes as a safetensors file and as an index, strict and lenient. Never a crash, and what is
// accepted keeps its promises. By hand:
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -Iinclude tests/fuzz/safetensors.cpp -o fuzz
//   ./fuzz -max_len=4096 -max_total_time=60 <folder of seeds>
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <heddle/checkpoint/parse_header.hpp>
#include <heddle/checkpoint/parse_index.hpp>

namespace {

using namespace heddle::checkpoint;

void require_that(bool promise) {
  if (!promise) std::abort();
}

void judge_file(std::span<std::byte const> file, strict_limits const& limits) {
  auto const length = read_length(file.first(std::min<std::size_t>(8, file.size())), file.size(), limits);
  if (!length.judged.good()) return;
  auto const header = parse_header(file.subspan(8, static_cast<std::size_t>(length.bytes)), file.size(), limits);
  require_that(header.judged.offset <= file.size());
  require_that(header.judged.good() == header.judged.text.empty());
  if (!header.judged.good()) return;
  std::uint64_t const data = file.size() - 8 - length.bytes;
  std::uint64_t reached = 0;
  for (auto const& tensor : header.tensors) {  // the tensors tile the data
    require_that(tensor.begin == reached && tensor.end <= data);
    require_that(size_of_tensor(tensor.type, tensor.shape).bytes == tensor.end - tensor.begin);
    require_that(tensor.shape.size() <= limits.rank && tensor.name.size() <= limits.name_bytes);
    reached = tensor.end;
  }
  require_that(reached == data);
}

void judge_index(std::span<std::byte const> text, strict_limits const& limits) {
  auto const index = parse_index(text, limits);
  require_that(index.judged.offset <= text.size());
  if (!index.judged.good()) return;
  for (auto const& [tensor, name] : index.files) require_that(is_plain_file_name(name));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const bytes = std::as_bytes(std::span{data, size});
  strict_limits lenient;
  lenient.allow_unknown_fields = true;
  lenient.depth = 6;
  judge_file(bytes, {});
  judge_file(bytes, lenient);
  judge_index(bytes, {});
  judge_index(bytes, lenient);
  // The length is the first thing a fuzzer breaks: as a header alone, in a file that it would fill.
  static_cast<void>(parse_header(bytes, size + 8, lenient));
  return 0;
}
