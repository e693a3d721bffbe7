// SPDX-License-Identifier: Apache-2.0
#include "process.hpp"

#include "../support/oracle_draw.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <heddle/checkpoint/write.hpp>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace process {

namespace {

template <class T>
std::vector<std::byte> bytes_of(std::vector<T> const& values) {
  auto const bytes = std::as_bytes(std::span{values});
  return {bytes.begin(), bytes.end()};
}

stored stored_as(heddle::dtype type, oracle::tensor const& from) {
  if (type == heddle::dtype::f64) return {type, from.shape, bytes_of(from.data)};
  std::vector<float> narrow;
  for (double const value : from.data) narrow.push_back(static_cast<float>(value));
  return {type, from.shape, bytes_of(narrow)};
}

result run(std::string const& command) {
  scratch const folder;
  int const status =
      std::system((command + " >" + folder.file("out") + " 2>" + folder.file("err") + " </dev/null").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text_of_file(folder.file("out")),
          text_of_file(folder.file("err"))};
}

}  // namespace

input::input(oracle::layer const& of, heddle::dtype type) : config{oracle::config_text(of.is)} {
  for (auto const& [name, value] : of.tensors) tensors[name] = stored_as(type, value);
  if (of.padding.empty()) return;
  std::vector<std::uint8_t> mask;
  for (bool const pad : of.padding) mask.push_back(pad ? 1 : 0);
  tensors["padding_mask"] = {heddle::dtype::boolean, {of.tokens()}, bytes_of(mask)};
}

void input::write(std::string const& path) const {
  std::vector<heddle::checkpoint::tensor_entry> entries;
  for (auto const& [name, each] : tensors) {
    entries.push_back({.name = name, .type = each.type, .shape = each.shape, .bytes = each.bytes});
  }
  heddle::checkpoint::metadata_t metadata{{"format", "pt"}};  // as other writers leave it
  if (config) metadata["config"] = *config;
  heddle::checkpoint::write(path, entries, metadata);
}

oracle::layer in_float(oracle::layer of) {
  for (auto& [name, value] : of.tensors) value = support::rounded<float>(value);
  return of;
}

std::vector<std::string> result::lines() const {
  std::vector<std::string> all;
  std::istringstream stream{err};
  for (std::string line; std::getline(stream, line);) all.push_back(line);
  return all;
}

result moe_layer(std::string const& arguments) { return run(std::string{MOE_LAYER " "} + arguments); }

bool has_mpi() {
  bool const there = std::string{MPIRUN}.size() > 0;
  if (!there) std::puts("skipped: no mpirun");
  return there;
}

result under_mpirun(int ranks, std::string const& arguments) {
  result done = run(std::string{MPIRUN " -np "} + std::to_string(ranks) + " --timeout 60 -q " MOE_LAYER " --comm mpi " +
                    arguments);
  // What the launcher says of a process that failed stands between two lines of dashes.
  std::string own;
  bool inside = false;
  for (std::string const& line : done.lines()) {
    if (line.starts_with("-----")) inside = !inside;
    else if (!inside) own += line + "\n";
  }
  done.err = own;
  return done;
}

scratch::scratch() {
  std::string name = (std::filesystem::temp_directory_path() / "heddle-moe-XXXXXX").string();
  path_ = mkdtemp(name.data());
}
scratch::~scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string text_of_file(std::filesystem::path const& path) {
  std::ifstream stream{path, std::ios::binary};
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}
void write_file(std::filesystem::path const& path, std::string const& text) {
  std::ofstream{path, std::ios::binary} << text;
}

}  // namespace process
