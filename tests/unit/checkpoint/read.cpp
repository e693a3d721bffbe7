// SPDX-License-Identifier: Apache-2.0
// Boxes read from files against boxes cut out of the whole tensor in memory, and the bytes that reading touches.
#include <heddle/checkpoint/read.hpp>

#include <doctest/doctest.h>

#include <heddle/checkpoint/open.hpp>
#include <heddle/checkpoint/write.hpp>
#include <memory>
#include <random>

#include "support.hpp"

namespace {

using namespace checkpoint_test;
using namespace heddle;
using checkpoint::archive;
using checkpoint::format_code;
using checkpoint::source;

std::int64_t product(shape_t const& shape) {
  std::int64_t result = 1;
  for (std::int64_t size : shape) result *= size;
  return result;
}

/// Every element of the parameter tells its place.
std::vector<float> numbered(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) + 0.5F;
  return values;
}

/// The box of a tensor in memory, element by element: lists the owned items of each axis and takes their product.
template <class T>
std::vector<T> cut_out(std::vector<T> const& whole, shape_t const& global, box const& part) {
  std::vector<std::vector<std::int64_t>> owned(global.size());
  for (std::size_t a = 0; a < global.size(); ++a) {
    for (range const own : part.axes[a]) {
      for (std::int64_t i = own.begin; i < own.end(); ++i) owned[a].push_back(i);
    }
  }
  std::vector<T> out;
  std::int64_t const count = part.count();
  for (std::int64_t n = 0; n < count; ++n) {
    std::int64_t rest = n, offset = 0, stride = 1;
    for (std::size_t a = global.size(); a-- > 0;) {
      auto const size = static_cast<std::int64_t>(owned[a].size());
      offset += owned[a][static_cast<std::size_t>(rest % size)] * stride;
      rest /= size;
      stride *= global[a];
    }
    out.push_back(whole[static_cast<std::size_t>(offset)]);
  }
  return out;
}

template <class T>
checkpoint::tensor_entry tensor(std::string name, shape_t shape, std::vector<T> const& values) {
  return {std::move(name), dtype_v<T>, std::move(shape), std::as_bytes(std::span{values})};
}
template <class T>
std::vector<T> read_box(archive const& model, std::vector<source> const& sources, shape_t const& global,
                        box const& part) {
  std::vector<T> out(static_cast<std::size_t>(part.count()));
  checkpoint::read<T>(model, sources, global, part, out);
  return out;
}

/// A box with each axis whole or cut at random.
box random_box(shape_t const& global, std::mt19937& random) {
  box part = box::all(global);
  auto const below = [&](int limit) { return static_cast<int>(random() % static_cast<unsigned>(limit)); };
  for (std::size_t a = 0; a < global.size(); ++a) {
    int const parts = 1 + below(8), index = below(parts);
    switch (below(6)) {
      case 0: part.cut<ceil_chunk>(a, parts, index); break;
      case 1: part.cut<balanced>(a, parts, index); break;
      case 2:
        if (global[a] % 2 == 0) part.cut<segmented<ceil_chunk, 1, 1>>(a, parts, index);
        break;
      case 3:
        if (global[a] % 4 == 0) part.cut<segmented<balanced, 2, 1, 1>>(a, parts, index);
        break;
      case 4:
        if (global[a] % parts == 0) part.cut<even>(a, parts, index);
        break;
      default: break;
    }
  }
  return part;
}

}  // namespace

TEST_CASE("read: random boxes of random tensors equal plain slicing, and read exactly their bytes") {
  folder const place;
  std::mt19937 random{20240607};
  for (int repeat = 0; repeat < 60; ++repeat) {
    shape_t global;
    for (unsigned a = random() % 4; a > 0; --a) global.push_back(static_cast<std::int64_t>(random() % 13));
    std::vector<float> const whole = numbered(product(global));
    checkpoint::tensor_entry const entry = tensor("w", global, whole);
    checkpoint::write(place / "f", std::span{&entry, 1});
    for (int boxes = 0; boxes < 10; ++boxes) {
      box const part = random_box(global, random);
      CAPTURE(checkpoint::detail::text_of(global));
      CAPTURE(checkpoint::detail::text_of(part));
      archive const model = checkpoint::open(place / "f");
      std::vector<float> out(static_cast<std::size_t>(part.count()));
      checkpoint::read<float>(model, "w", part, out);
      CHECK(out == cut_out(whole, global, part));
      CHECK(model.bytes_read() == static_cast<std::uint64_t>(part.count()) * 4);
      // Through the staging buffer.
      std::vector<double> wide(out.size());
      checkpoint::read<double>(model, "w", part, wide);
      CHECK(std::equal(out.begin(), out.end(), wide.begin()));
      CHECK(model.bytes_read() == static_cast<std::uint64_t>(part.count()) * 8);
    }
  }
}

TEST_CASE("read: all ranks together read every byte once") {
  folder const place;
  shape_t const global{12, 10};
  std::vector<float> const whole = numbered(product(global));
  checkpoint::tensor_entry const entry = tensor("w", global, whole);
  checkpoint::write(place / "f", std::span{&entry, 1});
  for (int parts : {1, 2, 3, 4, 7, 8}) {
    for (std::size_t axis : {0U, 1U}) {
      archive const model = checkpoint::open(place / "f");
      for (int rank = 0; rank < parts; ++rank) {
        box part = box::all(global);
        part.cut<segmented<ceil_chunk, 1, 1>>(axis, parts, rank);
        std::uint64_t const before = model.bytes_read();
        std::vector<float> out(static_cast<std::size_t>(part.count()));
        checkpoint::read<float>(model, "w", part, out);
        CHECK(out == cut_out(whole, global, part));
        CHECK(model.bytes_read() - before == out.size() * 4);
      }
      CHECK(model.bytes_read() == 480);
    }
  }
}

TEST_CASE("read: tensors of single experts, gate and up apart, fill one merged parameter") {
  folder const place;
  std::int64_t const experts = 5, ffn = 6, hidden = 7;
  shape_t const global{experts, 2 * ffn, hidden};
  std::vector<float> const whole = numbered(product(global));
  std::vector<std::vector<float>> kept;
  std::vector<checkpoint::tensor_entry> entries;
  std::vector<source> sources;
  for (std::int64_t e = 0; e < experts; ++e) {
    for (std::int64_t s = 0; s < 2; ++s) {
      box const where{{{{e, 1}}, {{s * ffn, ffn}}, {{0, hidden}}}};
      std::string const name = "experts." + std::to_string(e) + (s == 0 ? ".gate" : ".up");
      kept.push_back(cut_out(whole, global, where));
      sources.push_back({name, where});
    }
  }
  for (std::size_t i = 0; i < kept.size(); ++i) entries.push_back(tensor(sources[i].tensor, {ffn, hidden}, kept[i]));
  checkpoint::write(place / "f", entries);

  std::shuffle(sources.begin(), sources.end(), std::mt19937{7});  // their order does not matter
  for (int ep : {1, 2, 3, 5, 8}) {
    for (int tp : {1, 2, 4}) {
      for (int rank = 0; rank < ep * tp; ++rank) {
        box part = box::all(global);
        part.cut<ceil_chunk>(0, ep, rank / tp);
        part.cut<segmented<ceil_chunk, 1, 1>>(1, tp, rank % tp);
        archive const model = checkpoint::open(place / "f");
        CHECK(read_box<float>(model, sources, global, part) == cut_out(whole, global, part));
        CHECK(model.bytes_read() == static_cast<std::uint64_t>(part.count()) * 4);
      }
    }
  }
}

TEST_CASE("read: sources that do not fit are refused before anything is read") {
  folder const place;
  std::vector<float> const values = numbered(12);
  std::vector<std::int64_t> const whole_numbers(12);
  std::vector<checkpoint::tensor_entry> const entries{tensor("a", {3, 4}, values), tensor("b", {3, 4}, values),
                                                      tensor("n", {3, 4}, whole_numbers)};
  checkpoint::write(place / "f", entries);
  archive const model = checkpoint::open(place / "f");
  shape_t const global{2, 3, 4};
  auto const at = [](std::int64_t e) { return box{{{{e, 1}}, {{0, 3}}, {{0, 4}}}}; };
  box const all = box::all(global);
  std::vector<float> out(24);
  auto const kind = [&](std::vector<source> const& sources, box const& part) {
    return kind_from([&] { checkpoint::read<float>(model, sources, global, part, out); });
  };
  CHECK(kind({{"a", at(0)}, {"b", at(1)}}, all) == "none");
  std::uint64_t const before = model.bytes_read();
  CHECK(kind({{"a", at(0)}}, all) == "shape");                // a hole
  CHECK(kind({{"a", at(0)}, {"b", at(0)}}, all) == "shape");  // as many elements as needed, two of them twice
  CHECK(kind({{"a", at(0)}, {"b", at(1)}, {"b", at(1)}}, all) == "shape");  // an overlap
  CHECK(kind({}, all) == "shape");
  CHECK(kind({{"a", at(0)}, {"b", at(2)}}, all) == "shape");  // outside the parameter
  CHECK(kind({{"a", box::all({1, 4, 3})}, {"b", at(1)}}, all) == "shape");
  CHECK(kind({{"a", box{{{{0, 1}}, {{0, 4}}, {{0, 3}}}}}, {"b", at(1)}}, all) == "shape");          // transposed
  CHECK(kind({{"a", box::all({3, 4})}}, all) == "shape");                                           // too few axes
  CHECK(kind({{"a", box{{{{0, 1}}, {{0, 1}, {1, 2}}, {{0, 4}}}}}, {"b", at(1)}}, all) == "shape");  // not plain
  CHECK(kind({{"a", at(0)}, {"b", at(1)}}, box::all({2, 3, 5})) == "shape");
  CHECK(kind({{"a", at(0)}, {"n", at(1)}}, all) == "unsupported");
  CHECK(code_from([&] {
          checkpoint::read<float>(model, std::vector<source>{{"a", at(0)}, {"c", at(1)}}, global, all, std::span{out});
        }) == format_code::missing_tensor);
  CHECK(kind_from([&] {
          checkpoint::read<float>(model, std::vector<source>{{"a", at(0)}, {"b", at(1)}}, global, all,
                                  std::span{out}.first(23));
        }) == "workspace");
  CHECK(model.bytes_read() == before);
  // A source that does not meet the box may be of any type, but must be there.
  CHECK(kind({{"a", at(0)}, {"n", at(1)}}, at(0)) == "none");
  CHECK(kind({{"a", at(0)}}, at(0)) == "none");
  CHECK(kind({{"a", at(0)}, {"c", at(1)}}, at(0)) == "format");
}

TEST_CASE("read: empty boxes and scalars") {
  folder const place;
  std::vector<float> const nothing, single{2.5F}, some = numbered(6);
  std::vector<checkpoint::tensor_entry> const entries{tensor("empty", {0, 3}, nothing), tensor("scalar", {}, single),
                                                      tensor("some", {2, 3}, some)};
  checkpoint::write(place / "f", entries);
  archive const model = checkpoint::open(place / "f");
  checkpoint::read<float>(model, "empty", box::all({0, 3}), std::span<float>{});
  checkpoint::read<float>(model, "some", box{{{{2, 0}}, {{0, 3}}}}, std::span<float>{});
  CHECK(model.bytes_read() == 0);
  std::vector<float> out(1);
  checkpoint::read<float>(model, "scalar", box{}, out);
  CHECK(out[0] == 2.5F);
  // Scalars, one for each expert, as a vector.
  std::vector<source> const twice{{"scalar", box{{{{0, 1}}}}}, {"scalar", box{{{{1, 1}}}}}};
  CHECK(read_box<float>(model, twice, {2}, box::all({2})) == std::vector<float>{2.5F, 2.5F});
}

TEST_CASE("read: from every type to every type that holds it") {
  folder const place;
  // Values that every type of the sort holds exactly.
  std::vector<double> const f64{1, -2, 0.5, 3};
  std::vector<float> const f32{1, -2, 0.5, 3};
  std::vector<f16> half;
  std::vector<bf16> wide;
  std::vector<f8_e4m3> e4m3;
  std::vector<f8_e5m2> e5m2;
  for (float value : f32) {
    half.emplace_back(value);
    wide.emplace_back(value);
    e4m3.emplace_back(value);
    e5m2.emplace_back(value);
  }
  std::vector<std::int64_t> const i64{0, -1, 1LL << 40, 7};
  std::vector<std::int32_t> const i32{0, -1, 1 << 30, 7};
  std::vector<std::uint8_t> const u8{0, 1, 255, 7};
  std::vector<std::uint8_t> const truth{0, 1, 1, 0}, lie{0, 1, 2, 0};
  std::vector<checkpoint::tensor_entry> entries{
      tensor("F64", {4}, f64),      tensor("F32", {4}, f32),      tensor("F16", {4}, half), tensor("BF16", {4}, wide),
      tensor("F8_E4M3", {4}, e4m3), tensor("F8_E5M2", {4}, e5m2), tensor("I64", {4}, i64),  tensor("I32", {4}, i32),
      tensor("U8", {4}, u8),        tensor("BOOL", {4}, truth),   tensor("LIE", {4}, lie)};
  entries[9].type = entries[10].type = dtype::boolean;
  checkpoint::write(place / "f", entries);
  archive const model = checkpoint::open(place / "f");
  auto const try_as = [&]<class T>(std::type_identity<T>, std::string const& name) {
    std::array<T, 4> out{};
    return kind_from([&] { checkpoint::read<T>(model, name, box::all({4}), out); });
  };
  auto const floats_as = [&]<class T>(std::type_identity<T>) {
    for (char const* name : {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"}) {
      CAPTURE(name);
      std::array<T, 4> out{};
      checkpoint::read<T>(model, name, box::all({4}), out);
      for (std::size_t i = 0; i < 4; ++i) CHECK(static_cast<double>(out[i]) == f64[i]);
    }
    for (char const* name : {"I64", "I32", "U8", "BOOL"}) CHECK(try_as(std::type_identity<T>{}, name) == "unsupported");
  };
  floats_as(std::type_identity<double>{});
  floats_as(std::type_identity<float>{});
  floats_as(std::type_identity<f16>{});
  floats_as(std::type_identity<bf16>{});
  CHECK(try_as(std::type_identity<f8_e4m3>{}, "F8_E4M3") == "none");
  CHECK(try_as(std::type_identity<f8_e4m3>{}, "F8_E5M2") == "unsupported");
  CHECK(try_as(std::type_identity<f8_e5m2>{}, "F32") == "unsupported");

  CHECK(read_box<std::int64_t>(model, {{"I64", box::all({4})}}, {4}, box::all({4})) == i64);
  CHECK(read_box<std::int64_t>(model, {{"I32", box::all({4})}}, {4}, box::all({4})) ==
        std::vector<std::int64_t>(i32.begin(), i32.end()));
  CHECK(read_box<std::int32_t>(model, {{"U8", box::all({4})}}, {4}, box::all({4})) ==
        std::vector<std::int32_t>(u8.begin(), u8.end()));
  CHECK(read_box<std::uint8_t>(model, {{"LIE", box::all({4})}}, {4}, box::all({4})) == lie);  // row 40: any byte as U8
  for (char const* name : {"I64", "F64"}) CHECK(try_as(std::type_identity<std::int32_t>{}, name) == "unsupported");
  CHECK(try_as(std::type_identity<bool>{}, "U8") == "unsupported");

  std::array<bool, 4> bits{};
  checkpoint::read<bool>(model, "BOOL", box::all({4}), bits);
  CHECK((!bits[0] && bits[1] && bits[2] && !bits[3]));
  CHECK(code_from([&] { checkpoint::read<bool>(model, "LIE", box::all({4}), std::span<bool>{bits}); }) ==
        format_code::bad_bool);
  CHECK_NOTHROW(
      checkpoint::read<bool>(model, "LIE", box{{{{0, 2}}}}, std::span<bool>{bits}));  // only what is read is judged
  try {
    checkpoint::read<bool>(model, "LIE", box{{{{1, 3}}}}, std::span<bool>{bits});
    FAIL("no error");
  } catch (error const& failure) {  // names the byte of the file
    std::string const place_of_lie = std::to_string(model.at("LIE").offset + 2);
    CHECK(failure.text().find("(byte " + place_of_lie + ")") != std::string::npos);
  }
}

TEST_CASE("read: types that only have a size") {
  folder const place;
  put(place / "f", image("{" + entry("i8", "I8", "[4]", "[0,4]") + "," + entry("f4", "F4", "[4]", "[4,6]") + "}", 6));
  archive const model = checkpoint::open(place / "f");
  std::vector<float> out(4);
  CHECK(kind_from([&] { checkpoint::read<float>(model, "i8", box::all({4}), std::span{out}); }) == "unsupported");
  CHECK(kind_from([&] { checkpoint::read<float>(model, "f4", box::all({4}), std::span{out}); }) == "unsupported");
}

TEST_CASE("read: row 39, elements at odd addresses") {
  folder const place;
  float const value = 1.25F;
  std::string const file =
      image("{" + entry("a", "U8", "[1]", "[0,1]") + "," + entry("b", "F32", "[1]", "[1,5]") + "}", 1) +
      std::string(reinterpret_cast<char const*>(&value), 4);
  put(place / "f", file);
  archive const model = checkpoint::open(place / "f");
  std::vector<float> out(1);
  checkpoint::read<float>(model, "b", box::all({1}), out);
  CHECK(out[0] == value);
  std::vector<double> wide(1);
  checkpoint::read<double>(model, "b", box::all({1}), wide);
  CHECK(wide[0] == 1.25);
}

TEST_CASE("read: a conversion of more than the staging buffer holds") {
  folder const place;
  std::size_t const count = 2 * checkpoint::staging_bytes / 4 + 12345;
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i);
  checkpoint::tensor_entry const entry = tensor("w", {static_cast<std::int64_t>(count)}, values);
  checkpoint::write(place / "f", std::span{&entry, 1});
  archive const model = checkpoint::open(place / "f");
  std::vector<double> out(count - 1);
  checkpoint::read<double>(model, "w", box{{{{1, static_cast<std::int64_t>(count) - 1}}}}, out);
  std::size_t wrong = 0;
  for (std::size_t i = 1; i < count; ++i) wrong += out[i - 1] != static_cast<double>(i) ? 1 : 0;
  CHECK(wrong == 0);
}

TEST_CASE("read: a shard that shrank since it was opened is a short read") {
  folder const place;
  std::vector<float> const values = numbered(100);
  checkpoint::tensor_entry const entry = tensor("w", {100}, values);
  checkpoint::write(place / "f", std::span{&entry, 1});
  archive const model = checkpoint::open(place / "f");
  std::filesystem::resize_file(place / "f", std::filesystem::file_size(place / "f") - 1);
  std::vector<float> out(100);
  CHECK(code_from([&] { checkpoint::read<float>(model, "w", box::all({100}), std::span{out}); }) ==
        format_code::short_read);
}

#if defined(HEDDLE_GOLDEN_DIR)
TEST_CASE("read: checkpoints that transformers wrote, rank by rank") {
  for (auto const& each : std::filesystem::directory_iterator(HEDDLE_GOLDEN_DIR "/models")) {
    if (!each.is_directory()) continue;
    archive const model = checkpoint::open(each.path().string());
    for (checkpoint::tensor_info const& info : model.tensors()) {
      CAPTURE(info.name);
      std::vector<float> whole(static_cast<std::size_t>(product(info.shape)));
      checkpoint::read<float>(model, info.name, box::all(info.shape), whole);
      for (int rank = 0; rank < 3; ++rank) {
        box part = box::all(info.shape);
        part.cut<balanced>(info.shape.size() - 1, 3, rank);
        std::vector<float> out(static_cast<std::size_t>(part.count()));
        checkpoint::read<float>(model, info.name, part, out);
        CHECK(out == cut_out(whole, info.shape, part));
      }
    }
  }
}
#endif
