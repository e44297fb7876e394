// History: what threads did to one id and when, and whether some order explains it: every operation seems to happen at
// one moment between its call and its return (linearizability of a register).
//
// Threading: Begin and End from any thread. Ownership: a value. Failure: Explained says no.
//
//   const size_t op = history.Begin(History::Kind::kWrite, 7);
//   ... write version 7 ...
//   history.End(op, 7);
//   EXPECT_TRUE(history.Explained());
#ifndef SIGHTLINE_TESTS_ROBUSTNESS_HISTORY_H_
#define SIGHTLINE_TESTS_ROBUSTNESS_HISTORY_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"

namespace sightline::testing {

class History {
 public:
  enum class Kind { kWrite, kRead };

  // `version` is what a write writes; 0 means that the id is gone.
  size_t Begin(Kind kind, int version) {
    base::MutexLock lock(mutex_);
    operations_.push_back({kind, version, ++now_, std::numeric_limits<int64_t>::max(), false});
    return operations_.size() - 1;
  }
  // `version` is what a read has seen.
  void End(size_t operation, int version) {
    base::MutexLock lock(mutex_);
    operations_[operation].version = version;
    operations_[operation].end = ++now_;
  }

  // An operation that says nothing.
  void Drop(size_t operation) {
    base::MutexLock lock(mutex_);
    operations_[operation].dropped = true;
  }
  void Clear() {
    base::MutexLock lock(mutex_);
    operations_.clear();
  }

  // Looks for an order, depth first; a set of done operations and a value are tried once.
  bool Explained() const {
    base::MutexLock lock(mutex_);
    std::vector<Operation> operations;
    for (const Operation& operation : operations_) {
      if (!operation.dropped) operations.push_back(operation);
    }
    std::set<std::pair<std::vector<bool>, int>> seen;
    std::vector<std::pair<std::vector<bool>, int>> open = {{std::vector<bool>(operations.size(), false), 0}};
    while (!open.empty()) {
      auto [done, value] = std::move(open.back());
      open.pop_back();
      // Whatever began after one of those left has returned comes after it.
      int64_t first_end = std::numeric_limits<int64_t>::max();
      bool all = true;
      for (size_t i = 0; i < operations.size(); ++i) {
        if (done[i]) continue;
        all = false;
        first_end = std::min(first_end, operations[i].end);
      }
      if (all) return true;
      for (size_t i = 0; i < operations.size(); ++i) {
        const Operation& operation = operations[i];
        if (done[i] || operation.begin > first_end) continue;
        if (operation.kind == Kind::kRead && operation.version != value) continue;
        std::vector<bool> next = done;
        next[i] = true;
        auto state = std::pair(std::move(next), operation.kind == Kind::kWrite ? operation.version : value);
        if (seen.insert(state).second) open.push_back(std::move(state));
      }
    }
    return false;
  }

  std::string Text() const {
    base::MutexLock lock(mutex_);
    std::string out;
    for (const Operation& operation : operations_) {
      absl::StrAppend(&out, operation.kind == Kind::kWrite ? "write " : "read ", operation.version, " from ",
                      operation.begin, " to ", operation.end, "\n");
    }
    return out;
  }

 private:
  struct Operation {
    Kind kind;
    int version;
    int64_t begin;
    int64_t end;
    bool dropped = false;
  };
  mutable base::Mutex mutex_;
  int64_t now_ ABSL_GUARDED_BY(mutex_) = 0;  // a count of events orders them
  std::vector<Operation> operations_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_ROBUSTNESS_HISTORY_H_
