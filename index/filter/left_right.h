// LeftRight: one value that many threads read without ever waiting while one thread changes it.
//
// There are two copies. Readers use one; a writer changes the other, points new readers to it, waits until the last
// reader of the old copy has left, and repeats the change there. A read costs two atomic additions, a write costs twice
// the change and the longest read in progress.
//
// Readers announce themselves in one of two sets of counters. The writer flips which one newcomers use and waits for
// both sets to run empty, one after the other, so that a stream of readers can never keep it waiting.
//
// Threading: Read from any thread, wait-free; Write from one thread at a time. Inside Read, Read may be called again,
// and Write must not be: it would wait for its own caller. Ownership: owns both copies. What Read hands to its function
// is valid until that function returns. Failure: none. A change is made twice, so it must do the same thing both times.
//
//   LeftRight<std::map<int, int>> table;
//   table.Write([&](std::map<int, int>& map) { map[1] = 2; });
//   int size = table.Read([](const std::map<int, int>& map) { return static_cast<int>(map.size()); });
#ifndef SIGHTLINE_INDEX_FILTER_LEFT_RIGHT_H_
#define SIGHTLINE_INDEX_FILTER_LEFT_RIGHT_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

namespace sightline::index {

template <typename T>
class LeftRight {
 public:
  explicit LeftRight(T initial = T()) : copies_{initial, std::move(initial)} {}
  LeftRight(const LeftRight&) = delete;
  LeftRight& operator=(const LeftRight&) = delete;

  // Returns what `function(const T&)` returns.
  template <typename Function>
  auto Read(Function&& function) const {
    const Presence presence(readers_[reader_set_.load()].Mine());
    return std::forward<Function>(function)(copies_[front_.load()]);
  }

  // Calls `change(T&)` on both copies.
  template <typename Change>
  void Write(Change&& change) {
    Write(change, [&change](T& behind, const T& /*front*/) { change(behind); });
  }

  // The same, with another way to bring the second copy up to date: `repeat(T& behind, const T& front)` must leave
  // `behind` with the meaning of `front`.
  template <typename Change, typename Repeat>
  void Write(Change&& change, Repeat&& repeat) {
    const int front = front_.load(std::memory_order_relaxed);
    change(copies_[1 - front]);
    front_.store(1 - front);
    AwaitReaders();
    repeat(copies_[front], std::as_const(copies_[1 - front]));
  }

 private:
  // Counters are spread over cache lines, or readers would wait for one another's.
  static constexpr size_t kStripes = 16;
  struct alignas(64) Counter {
    std::atomic<int64_t> inside = 0;
  };

  class ReaderSet {
   public:
    std::atomic<int64_t>& Mine() const {
      static std::atomic<size_t> next = 0;
      thread_local const size_t stripe = next.fetch_add(1, std::memory_order_relaxed) % kStripes;
      return counters_[stripe].inside;
    }
    // A reader leaves the counter in which it arrived, so no counter is ever below zero.
    bool Empty() const {
      for (const Counter& counter : counters_) {
        if (counter.inside.load() != 0) return false;
      }
      return true;
    }

   private:
    mutable std::array<Counter, kStripes> counters_;
  };

  class Presence {
   public:
    explicit Presence(std::atomic<int64_t>& counter) : counter_(counter) { counter_.fetch_add(1); }
    ~Presence() { counter_.fetch_sub(1, std::memory_order_release); }
    Presence(const Presence&) = delete;
    Presence& operator=(const Presence&) = delete;

   private:
    std::atomic<int64_t>& counter_;
  };

  // Returns when no reader is left that may have seen the old front. A reader picks a set first and the front
  // afterwards: one that arrives in the new set sees the new front, and those of the old set are waited for. One that
  // picked the new set before an earlier flip may still be in it, so that set is emptied first.
  void AwaitReaders() {
    const int old_set = reader_set_.load(std::memory_order_relaxed);
    AwaitEmpty(readers_[1 - old_set]);
    reader_set_.store(1 - old_set);
    AwaitEmpty(readers_[old_set]);
  }

  static void AwaitEmpty(const ReaderSet& readers) {
    // Most reads end within microseconds; a long one must not cost a core.
    constexpr int kYields = 64;
    for (int i = 0; !readers.Empty(); ++i) {
      if (i < kYields) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    }
  }

  std::array<T, 2> copies_;
  std::atomic<int> front_ = 0;       // the copy that readers use
  std::atomic<int> reader_set_ = 0;  // the counters that newcomers use
  std::array<ReaderSet, 2> readers_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_FILTER_LEFT_RIGHT_H_
