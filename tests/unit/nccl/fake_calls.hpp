// SPDX-License-Identifier: Apache-2.0
// NCCL among the threads of a test, over memory of the host: it moves data, writes down what it is asked, and fails
// where a test wants it to. Its clock goes by pauses, so a deadline of a minute takes no time.
#pragma once

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <heddle/core/dtype.hpp>
#include <heddle/nccl/types.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fake {

using heddle::bf16;
using heddle::f16;

/// What travels from rank to rank of one communicator, in order for each pair.
struct fabric {
  struct letter {
    std::string what;
    std::vector<std::byte> bytes;
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::pair<int, int>, std::deque<letter>> boxes;
  bool broken = false;

  void post(int from, int to, std::string what, void const* data, std::size_t bytes) {
    auto const* first = static_cast<std::byte const*>(data);
    std::lock_guard const lock{mutex};
    boxes[{from, to}].push_back({std::move(what), {first, first + bytes}});
    changed.notify_all();
  }
  /// False where the other side is gone, or in another call.
  bool take(int from, int to, std::string const& what, std::vector<std::byte>& bytes) {
    std::unique_lock lock{mutex};
    auto& box = boxes[{from, to}];
    bool const come = changed.wait_for(lock, std::chrono::seconds{20}, [&] { return broken || !box.empty(); });
    if (!come || box.empty() || box.front().what != what) return false;
    bytes = std::move(box.front().bytes);
    box.pop_front();
    return true;
  }
  void end() {
    std::lock_guard const lock{mutex};
    broken = true;
    changed.notify_all();
  }
};

/// What all ranks share: a fabric for every communicator, by its name.
struct world {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<fabric>> fabrics;
  std::mutex posting;  ///< a call's letters reach all or none before a communicator ends
  std::shared_ptr<fabric> operator[](std::string const& name) {
    std::lock_guard const lock{mutex};
    auto& found = fabrics[name];
    if (!found) found = std::make_shared<fabric>();
    return found;
  }
};

struct handle {
  std::shared_ptr<fabric> lines;
  std::string name;
  int rank = 0;
  int size = 1;
  int splits = 0;
  ncclResult_t state = ncclSuccess;
};

/// One rank's script and diary.
struct script {
  std::shared_ptr<world> all = std::make_shared<world>();
  std::vector<std::string> log{};
  std::map<std::string, ncclResult_t> answers{};  ///< of a call, instead of doing it
  std::map<std::string, int> delays{};            ///< looks that a call takes to be done
  std::map<std::string, cudaError_t> faults{};    ///< of the CUDA runtime
  std::map<std::string, std::string> variables{};
  ncclResult_t state = ncclSuccess;  ///< what async_error finds when nothing is delayed
  int waiting = 0;                   ///< looks until what was delayed is done
  int unready = 0;                   ///< looks at the stream that find it busy; -1: for ever
  bool captures = false;             ///< whether the stream is being captured
  cudaStream_t asked = nullptr;      ///< the stream that was looked at last
  int loaded = NCCL_VERSION_CODE;
  std::chrono::milliseconds step{1};
  std::chrono::milliseconds time{0};
  int alive = 0;  ///< pieces of memory and communicators that nobody has given back
  int depth = 0;
  std::vector<std::function<void()>> posts{};
  std::vector<std::function<bool()>> takes{};
  std::function<void()> later{};  ///< what NCCL's own thread does behind a call that has returned

  [[nodiscard]] int count(std::string const& prefix) const {
    int found = 0;
    for (std::string const& line : log) found += line.compare(0, prefix.size(), prefix) == 0 ? 1 : 0;
    return found;
  }
};

template <class Type>
void add_as(std::byte* to, std::byte const* from, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    Type a, b;
    std::memcpy(&a, to + i * sizeof(Type), sizeof(Type));
    std::memcpy(&b, from + i * sizeof(Type), sizeof(Type));
    using sum = heddle::accumulator_t<Type>;
    a = static_cast<Type>(static_cast<sum>(a) + static_cast<sum>(b));
    std::memcpy(to + i * sizeof(Type), &a, sizeof(Type));
  }
}
inline void add(std::byte* to, std::byte const* from, std::size_t count, ncclDataType_t type) {
  switch (type) {
    case ncclFloat32: return add_as<float>(to, from, count);
    case ncclFloat64: return add_as<double>(to, from, count);
    case ncclBfloat16: return add_as<bf16>(to, from, count);
    case ncclFloat16: return add_as<f16>(to, from, count);
    case ncclInt32: return add_as<std::int32_t>(to, from, count);
    case ncclInt64: return add_as<std::int64_t>(to, from, count);
    default: return;
  }
}

/// The members that `heddle::nccl::calls` has.
struct calls {
  std::shared_ptr<script> self = std::make_shared<script>();

  static handle& of(ncclComm_t comm) { return *reinterpret_cast<handle*>(comm); }
  void note(std::string line) const { self->log.push_back(std::move(line)); }
  /// What the script says of this call: an answer, a delay, or nothing.
  bool scripted(char const* call, ncclResult_t& answer) const {
    if (auto const found = self->answers.find(call); found != self->answers.end()) {
      answer = found->second;
      return true;
    }
    auto const delay = self->delays.find(call);
    if (delay != self->delays.end()) self->waiting = delay->second;
    answer = delay == self->delays.end() ? ncclSuccess : ncclInProgress;
    return false;
  }

  std::string meeting_point() const {
    char const* const found = environment("NCCL_COMM_ID");
    return found == nullptr ? "" : found;
  }
  ncclResult_t version(int* found) const {
    *found = self->loaded;
    return ncclSuccess;
  }
  ncclResult_t unique_id(ncclUniqueId* id) const {
    note("unique_id " + meeting_point());
    ncclResult_t answer = ncclSuccess;
    if (scripted("unique_id", answer)) return answer;
    *id = {};
    std::strncpy(id->internal, ("id of " + meeting_point()).c_str(), sizeof id->internal - 1);
    return answer;
  }
  ncclComm_t make(std::string const& name, int rank, int size) const {
    ++self->alive;
    return reinterpret_cast<ncclComm_t>(new handle{(*self->all)[name], name, rank, size});
  }
  ncclResult_t init(ncclComm_t* comm, int size, ncclUniqueId const& id, int rank, ncclConfig_t* config) const {
    note("init " + std::to_string(rank) + " of " + std::to_string(size) + " blocking " +
         std::to_string(config->blocking) + " share " + std::to_string(config->splitShare) + " at " + meeting_point());
    ncclResult_t answer = ncclSuccess;
    if (scripted("init", answer)) return answer;
    *comm = make(id.internal, rank, size);
    return answer;
  }
  ncclResult_t split(ncclComm_t comm, int color, int key, ncclComm_t* part, ncclConfig_t* config) const {
    note("split " + std::to_string(color) + " " + std::to_string(key) + " blocking " +
         std::to_string(config->blocking));
    ncclResult_t answer = ncclSuccess;
    if (scripted("split", answer)) return answer;
    handle& here = of(comm);
    int const wish[2] = {color, key};
    {
      std::lock_guard const lock{self->all->posting};
      for (int peer = 0; peer < here.size; ++peer) here.lines->post(here.rank, peer, "split", wish, sizeof wish);
    }
    int size = 0;
    int rank = 0;
    for (int peer = 0; peer < here.size; ++peer) {
      std::vector<std::byte> bytes;
      int theirs[2];
      if (!here.lines->take(peer, here.rank, "split", bytes)) return ncclRemoteError;
      std::memcpy(theirs, bytes.data(), sizeof theirs);
      if (theirs[0] != color) continue;
      ++size;
      if (theirs[1] < key || (theirs[1] == key && peer < here.rank)) ++rank;
    }
    ncclComm_t const made =
        make(here.name + "/" + std::to_string(here.splits++) + "." + std::to_string(color), rank, size);
    self->later = [part, made] { *part = made; };
    return ncclSuccess;  // as NCCL answers, delayed or not: only the state of `comm` says when there is a part
  }
  ncclResult_t async_error(ncclComm_t comm, ncclResult_t* state) const {
    if (comm == nullptr) return ncclInvalidArgument;
    if (self->waiting > 0) --self->waiting;
    if (self->waiting == 0) finish();
    *state = self->waiting != 0 ? ncclInProgress : of(comm).state != ncclSuccess ? of(comm).state : self->state;
    return ncclSuccess;
  }
  void finish() const {
    if (self->later) std::exchange(self->later, {})();
  }
  char const* last_error(ncclComm_t) const { return "as the script says"; }
  ncclResult_t size(ncclComm_t comm, int* size) const {
    *size = of(comm).size;
    return ncclSuccess;
  }
  ncclResult_t rank(ncclComm_t comm, int* rank) const {
    *rank = of(comm).rank;
    return ncclSuccess;
  }
  ncclResult_t finalize(ncclComm_t) const {
    note("finalize");
    ncclResult_t answer = ncclSuccess;
    scripted("finalize", answer);
    return answer;
  }
  ncclResult_t destroy(ncclComm_t comm) const {
    note("destroy");
    --self->alive;
    delete &of(comm);
    return ncclSuccess;
  }
  void end(ncclComm_t comm) const {
    std::lock_guard const lock{self->all->posting};
    of(comm).lines->end();
  }
  ncclResult_t abort(ncclComm_t comm) const {
    note("abort");
    finish();  // NCCL ends its thread first
    end(comm);
    --self->alive;
    delete &of(comm);
    return ncclSuccess;
  }
  ncclResult_t revoke(ncclComm_t comm) const {
    note("revoke");
    end(comm);
    return ncclSuccess;
  }

  ncclResult_t group_start() const {
    note("group");
    ++self->depth;
    return ncclSuccess;
  }
  ncclResult_t group_end() const {
    note("end of group");
    --self->depth;
    ncclResult_t answer = ncclSuccess;
    if (scripted("group_end", answer)) return answer;
    return run() ? answer : ncclRemoteError;
  }
  /// Everything is sent before anything is waited for, as in a group of NCCL's.
  bool run() const {
    {
      std::lock_guard const lock{self->all->posting};
      for (auto& post : self->posts) post();
    }
    bool good = true;
    for (auto& take : self->takes) good = good && take();
    self->posts.clear();
    self->takes.clear();
    return good;
  }
  ncclResult_t done(char const* call, std::string line) const {
    note(call + (" " + line));
    ncclResult_t answer = ncclSuccess;
    if (scripted(call, answer)) {
      self->posts.clear();
      self->takes.clear();
      return answer;
    }
    if (self->depth > 0) return answer;
    return run() ? answer : ncclRemoteError;
  }
  void post(ncclComm_t comm, int to, std::string what, void const* data, std::size_t bytes) const {
    handle& here = of(comm);
    self->posts.push_back([=, &here] { here.lines->post(here.rank, to, what, data, bytes); });
  }
  template <class Store>
  void take(ncclComm_t comm, int from, std::string what, Store store) const {
    handle& here = of(comm);
    self->takes.push_back([=, &here] {
      std::vector<std::byte> bytes;
      if (!here.lines->take(from, here.rank, what, bytes)) return false;
      store(bytes.data());
      return true;
    });
  }
  static std::string tag(char const* call, std::size_t count, ncclDataType_t type, int root = -1) {
    return std::string{call} + " " + std::to_string(count) + " " + std::to_string(type) + " " + std::to_string(root);
  }

  ncclResult_t send(void const* data, std::size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                    cudaStream_t) const {
    post(comm, peer, tag("pair", count, type), data, count * heddle::nccl::size_of(type));
    return done("send", std::to_string(count) + " to " + std::to_string(peer));
  }
  ncclResult_t receive(void* data, std::size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                       cudaStream_t) const {
    std::size_t const bytes = count * heddle::nccl::size_of(type);
    take(comm, peer, tag("pair", count, type), [=](std::byte* from) { std::memcpy(data, from, bytes); });
    return done("receive", std::to_string(count) + " from " + std::to_string(peer));
  }
  ncclResult_t broadcast(void const* from, void* to, std::size_t count, ncclDataType_t type, int root, ncclComm_t comm,
                         cudaStream_t) const {
    std::size_t const bytes = count * heddle::nccl::size_of(type);
    std::string const what = tag("broadcast", count, type, root);
    for (int peer = 0; of(comm).rank == root && peer < of(comm).size; ++peer) post(comm, peer, what, from, bytes);
    take(comm, root, what, [=](std::byte* data) { std::memcpy(to, data, bytes); });
    return done("broadcast", std::to_string(count) + " of " + std::to_string(root));
  }
  /// Sums at `to` of every rank, in rank order, each step rounded to the type.
  void gather_sum(ncclComm_t comm, std::string const& what, void* to, std::size_t count, ncclDataType_t type) const {
    std::size_t const bytes = count * heddle::nccl::size_of(type);
    for (int peer = 0; peer < of(comm).size; ++peer) {
      take(comm, peer, what, [=](std::byte* data) {
        if (peer == 0) std::memcpy(to, data, bytes);
        else add(static_cast<std::byte*>(to), data, count, type);
      });
    }
  }
  ncclResult_t all_reduce(void const* from, void* to, std::size_t count, ncclDataType_t type, ncclComm_t comm,
                          cudaStream_t) const {
    std::string const what = tag("all_reduce", count, type);
    for (int peer = 0; peer < of(comm).size; ++peer) {
      post(comm, peer, what, from, count * heddle::nccl::size_of(type));
    }
    gather_sum(comm, what, to, count, type);
    return done("all_reduce", std::to_string(count) + " type " + std::to_string(type));
  }
  ncclResult_t reduce(void const* from, void* to, std::size_t count, ncclDataType_t type, int root, ncclComm_t comm,
                      cudaStream_t) const {
    std::string const what = tag("reduce", count, type, root);
    post(comm, root, what, from, count * heddle::nccl::size_of(type));
    if (of(comm).rank == root) gather_sum(comm, what, to, count, type);
    return done("reduce", std::to_string(count) + " to " + std::to_string(root));
  }
  ncclResult_t all_gather(void const* from, void* to, std::size_t count, ncclDataType_t type, ncclComm_t comm,
                          cudaStream_t) const {
    std::size_t const bytes = count * heddle::nccl::size_of(type);
    std::string const what = tag("all_gather", count, type);
    for (int peer = 0; peer < of(comm).size; ++peer) {
      post(comm, peer, what, from, bytes);
      std::byte* const place = static_cast<std::byte*>(to) + bytes * static_cast<std::size_t>(peer);
      take(comm, peer, what, [=](std::byte* data) { std::memcpy(place, data, bytes); });
    }
    return done("all_gather", std::to_string(count));
  }
  ncclResult_t reduce_scatter(void const* from, void* to, std::size_t count, ncclDataType_t type, ncclComm_t comm,
                              cudaStream_t) const {
    std::size_t const bytes = count * heddle::nccl::size_of(type);
    std::string const what = tag("reduce_scatter", count, type);
    for (int peer = 0; peer < of(comm).size; ++peer) {
      post(comm, peer, what, static_cast<std::byte const*>(from) + bytes * static_cast<std::size_t>(peer), bytes);
    }
    gather_sum(comm, what, to, count, type);
    return done("reduce_scatter", std::to_string(count));
  }
  ncclResult_t all_to_all(void const* from, void* to, std::size_t count, ncclDataType_t type, ncclComm_t comm,
                          cudaStream_t) const {
    std::size_t const bytes = count * heddle::nccl::size_of(type);
    std::string const what = tag("all_to_all", count, type);
    for (int peer = 0; peer < of(comm).size; ++peer) {
      std::size_t const at = bytes * static_cast<std::size_t>(peer);
      post(comm, peer, what, static_cast<std::byte const*>(from) + at, bytes);
      std::byte* const place = static_cast<std::byte*>(to) + at;
      take(comm, peer, what, [=](std::byte* data) { std::memcpy(place, data, bytes); });
    }
    return done("all_to_all", std::to_string(count));
  }
  ncclResult_t register_window(ncclComm_t, void* data, std::size_t bytes, ncclWindow_t* window) const {
    note("window " + std::to_string(bytes));
    ncclResult_t answer = ncclSuccess;
    if (scripted("register_window", answer)) return answer;
    self->later = [window, data] { *window = reinterpret_cast<ncclWindow_t>(data); };
    return ncclSuccess;  // likewise
  }
  ncclResult_t deregister_window(ncclComm_t, ncclWindow_t) const {
    note("end of window");
    return ncclSuccess;
  }

  cudaError_t fault(char const* call) const {
    auto const found = self->faults.find(call);
    return found == self->faults.end() ? cudaSuccess : found->second;
  }
  cudaError_t allocate_device(void** data, std::size_t bytes) const {
    if (cudaError_t const bad = fault("allocate_device"); bad != cudaSuccess) return bad;
    note("device " + std::to_string(bytes));
    ++self->alive;
    *data = ::operator new(bytes);
    std::memset(*data, 0xab, bytes);
    return cudaSuccess;
  }
  cudaError_t free_device(void* data) const {
    --self->alive;
    ::operator delete(data);
    return cudaSuccess;
  }
  cudaError_t allocate_pinned(void** data, std::size_t bytes) const {
    if (cudaError_t const bad = fault("allocate_pinned"); bad != cudaSuccess) return bad;
    ++self->alive;
    *data = ::operator new(bytes);
    std::memset(*data, 0xcd, bytes);
    return cudaSuccess;
  }
  cudaError_t free_pinned(void* data) const { return free_device(data); }
  cudaError_t copy(void* to, void const* from, std::size_t bytes, cudaStream_t) const {
    if (cudaError_t const bad = fault("copy"); bad != cudaSuccess) return bad;
    std::memcpy(to, from, bytes);
    return cudaSuccess;
  }
  cudaError_t query(cudaStream_t stream) const {
    self->asked = stream;
    if (cudaError_t const bad = fault("query"); bad != cudaSuccess) return bad;
    if (self->unready == 0) return cudaSuccess;
    if (self->unready > 0) --self->unready;
    return cudaErrorNotReady;
  }
  cudaError_t capturing(cudaStream_t, cudaStreamCaptureStatus* found) const {
    *found = self->captures ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return fault("capturing");
  }
  char const* explain(cudaError_t) const { return "cudaErrorOfTheScript"; }

  [[nodiscard]] std::chrono::steady_clock::time_point now() const {
    return std::chrono::steady_clock::time_point{self->time};
  }
  void pause(std::chrono::nanoseconds) const { self->time += self->step; }

  [[nodiscard]] char const* environment(char const* name) const {
    auto const found = self->variables.find(name);
    return found == self->variables.end() ? nullptr : found->second.c_str();
  }
  void set_environment(char const* name, char const* value) const {
    if (value == nullptr) self->variables.erase(name);
    else self->variables[name] = value;
  }
};

/// Runs `body(rank, calls)` on threads of one world and returns the scripts when all are done. The text of what a rank
/// throws ends its log.
template <class Body>
std::vector<std::shared_ptr<script>> on_ranks(int size, Body body) {
  std::vector<std::shared_ptr<script>> scripts;
  auto const all = std::make_shared<world>();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    scripts.push_back(std::make_shared<script>());
    scripts.back()->all = all;
  }
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      auto const mine = scripts[static_cast<std::size_t>(rank)];
      try {
        body(rank, calls{mine});
      } catch (std::exception const& problem) {
        mine->log.push_back(std::string{"threw "} + problem.what());
      }
    });
  }
  for (std::thread& each : threads) each.join();
  return scripts;
}

/// An id that all ranks of a test know.
inline ncclUniqueId id() {
  ncclUniqueId made{};
  std::strncpy(made.internal, "world", sizeof made.internal - 1);
  return made;
}

/// What `call` throws; kind `plan` where it throws nothing.
template <class Call>
heddle::error refusal(Call const& call) {
  try {
    call();
  } catch (heddle::error const& problem) {
    return problem;
  }
  return {heddle::error_kind::plan, "nothing was thrown"};
}

}  // namespace fake
