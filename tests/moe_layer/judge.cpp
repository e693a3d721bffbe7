// SPDX-License-Identifier: Apache-2.0
#include "judge.hpp"

#include "../support/relative.hpp"

#include <heddle/checkpoint/open.hpp>
#include <heddle/checkpoint/read.hpp>
#include <heddle/checkpoint/write.hpp>

namespace judge {

namespace {

using heddle::dtype;
using heddle::index_t;
using heddle::shape_t;

struct expected {
  dtype type;
  shape_t shape;
  std::vector<double> values;
  double size = 0;  ///< as the oracle measures it
};

std::map<std::string, expected> expected_of(oracle::layer const& of, oracle::result const& is, dtype type) {
  std::map<std::string, expected> all;
  auto const whole = [&](std::string const& name, shape_t shape, oracle::indices_t const& values) {
    all[name] = {dtype::i64, std::move(shape), {values.begin(), values.end()}, 0};
  };
  auto const real = [&](std::string const& name, shape_t shape, std::vector<double> values) {
    auto const size = is.sizes.find(name);
    all[name] = {type, std::move(shape), std::move(values), size == is.sizes.end() ? 0 : size->second};
  };
  whole("indices", is.weights.shape, is.indices);
  whole("tokens_per_expert", {of.experts()}, is.tokens_per_expert);
  whole("dropped_per_expert", {of.experts()}, is.dropped_per_expert);
  real("output", is.output.shape, is.output.data);
  real("weights", is.weights.shape, is.weights.data);
  real("loss.aux", {}, {is.aux});
  real("loss.z", {}, {is.z});
  real("expert_bias.updated", {of.experts()}, is.updated_bias);
  for (auto const& [name, gradient] : is.gradients) real("grad." + name, gradient.shape, gradient.data);
  return all;
}

std::vector<double> values_of(heddle::checkpoint::archive const& file, std::string const& name) {
  heddle::box const all = heddle::box::all(file.at(name).shape);
  std::vector<double> values(static_cast<std::size_t>(all.count()));
  if (readable(file.at(name).type) == dtype::i64) {
    std::vector<std::int64_t> numbers(values.size());
    heddle::checkpoint::read<std::int64_t>(file, name, all, numbers);
    values.assign(numbers.begin(), numbers.end());
  } else {
    heddle::checkpoint::read<double>(file, name, all, values);
  }
  return values;
}

std::string difference(std::vector<double> const& got, expected const& wanted) {
  double const tolerance = wanted.type == dtype::i64 ? 0 : wanted.type == dtype::f64 ? 1e-10 : 2e-5;
  return support::relative_difference(got, wanted.values, tolerance, wanted.size);
}

}  // namespace

void write_expected(std::string const& path, oracle::layer const& of, oracle::result const& is, dtype type) {
  std::vector<heddle::checkpoint::tensor_entry> entries;
  std::vector<std::vector<std::byte>> kept;
  auto const add = [&]<class T>(std::string const& name, expected const& from, std::type_identity<T>) {
    std::vector<T> values;
    for (double const value : from.values) values.push_back(static_cast<T>(value));
    auto const bytes = std::as_bytes(std::span{values});
    kept.emplace_back(bytes.begin(), bytes.end());
    entries.push_back({.name = name, .type = from.type, .shape = from.shape, .bytes = {}});
  };
  for (auto const& [name, each] : expected_of(of, is, type)) {
    if (each.type == dtype::i64) add(name, each, std::type_identity<std::int64_t>{});
    else if (each.type == dtype::f32) add(name, each, std::type_identity<float>{});
    else add(name, each, std::type_identity<double>{});
  }
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].bytes = kept[i];
  heddle::checkpoint::write(path, entries);
}

std::string complaint(std::string const& path, oracle::layer const& of, oracle::result const& is, dtype type) {
  auto const file = heddle::checkpoint::open(path);
  auto const all = expected_of(of, is, type);
  for (heddle::checkpoint::tensor_info const& tensor : file.tensors()) {
    if (!all.contains(tensor.name)) return "there is a tensor " + tensor.name;
  }
  for (auto const& [name, wanted] : all) {
    auto const* const found = file.find(name);
    if (found == nullptr) return "there is no tensor " + name;
    if (readable(found->type) != wanted.type) return name + " is " + std::string{name_of(found->type)};
    if (found->shape != wanted.shape) return name + " has the shape " + support::text(found->shape);
    std::string const wrong = difference(values_of(file, name), wanted);
    if (!wrong.empty()) return name + wrong;
  }
  return {};
}

}  // namespace judge
