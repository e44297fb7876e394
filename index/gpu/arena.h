// Who has what of one large piece of memory. CUDA's own allocations wait for the card and take long; a piece taken once
// and divided here costs neither, and what it comes to is known beforehand.
//
// First fit; what is given back joins its free neighbours. It never looks at the memory, only at offsets into it, all
// multiples of kAlignment.
//
// Threading: one thread at a time. Failure: nullopt where no gap is large enough.
//
//   Arena arena(memory.bytes());
//   if (const std::optional<size_t> at = arena.Take(bytes)) ...
//   arena.Give(*at);
#ifndef SIGHTLINE_INDEX_GPU_ARENA_H_
#define SIGHTLINE_INDEX_GPU_ARENA_H_

#include <cstddef>
#include <iterator>
#include <map>
#include <optional>

namespace sightline::index::gpu {

class Arena {
 public:
  static constexpr size_t kAlignment = 256;

  Arena() = default;
  explicit Arena(size_t bytes) {
    if (bytes >= kAlignment) free_[0] = bytes / kAlignment * kAlignment;
  }

  std::optional<size_t> Take(size_t bytes) {
    bytes = Rounded(bytes);
    for (auto gap = free_.begin(); gap != free_.end(); ++gap) {
      const auto [at, room] = *gap;
      if (room < bytes) continue;
      free_.erase(gap);
      if (room > bytes) free_[at + bytes] = room - bytes;
      taken_[at] = bytes;
      used_ += bytes;
      return at;
    }
    return std::nullopt;
  }

  // `at` comes from Take.
  void Give(size_t at) {
    const auto piece = taken_.find(at);
    size_t bytes = piece->second;
    taken_.erase(piece);
    used_ -= bytes;
    auto after = free_.lower_bound(at);
    if (after != free_.end() && after->first == at + bytes) {
      bytes += after->second;
      after = free_.erase(after);
    }
    if (after != free_.begin()) {
      const auto before = std::prev(after);
      if (before->first + before->second == at) {
        before->second += bytes;
        return;
      }
    }
    free_[at] = bytes;
  }

  size_t used() const { return used_; }

 private:
  // Nothing takes a place too, so that every piece has one of its own.
  static size_t Rounded(size_t bytes) {
    return bytes == 0 ? kAlignment : (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  std::map<size_t, size_t> free_;   // sizes by offset; no two touch
  std::map<size_t, size_t> taken_;  // likewise
  size_t used_ = 0;
};

}  // namespace sightline::index::gpu

#endif  // SIGHTLINE_INDEX_GPU_ARENA_H_
