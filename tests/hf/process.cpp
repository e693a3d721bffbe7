// SPDX-License-Identifier: Apache-2.0
#include "process.hpp"

#include "trial.hpp"
#include <cstdio>
#include <fstream>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace process {

namespace {

result run(std::string const& command) {
  scratch const folder;
  int const status =
      std::system((command + " >" + folder.file("out") + " 2>" + folder.file("err") + " </dev/null").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text_of_file(folder.file("out")),
          text_of_file(folder.file("err"))};
}

}  // namespace

std::vector<std::string> result::lines() const {
  std::vector<std::string> all;
  std::istringstream stream{err};
  for (std::string line; std::getline(stream, line);) all.push_back(line);
  return all;
}

result hf_forward(std::string const& arguments) { return run(std::string{HF_FORWARD " "} + arguments); }

bool has_mpi() {
  bool const there = std::string{MPIRUN}.size() > 0;
  if (!there) std::puts("skipped: no mpirun");
  return there;
}

result under_mpirun(int ranks, std::string const& arguments) {
  result done = run(std::string{MPIRUN " -np "} + std::to_string(ranks) +
                    " --timeout 60 -q " HF_FORWARD " --comm mpi " + arguments);
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
  std::string name = (std::filesystem::temp_directory_path() / "heddle-hf-XXXXXX").string();
  path_ = mkdtemp(name.data());
}
scratch::~scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}
std::string scratch::copy_of(std::string const& model) const {
  std::filesystem::copy(trial::golden() + "/models/" + model, path_ / model);
  return (path_ / model).string();
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
bool replace_in(std::filesystem::path const& path, std::string const& from, std::string const& to) {
  std::string text = text_of_file(path);
  std::size_t const place = text.find(from);
  if (place == std::string::npos) return false;
  write_file(path, text.replace(place, from.size(), to));
  return true;
}

}  // namespace process
