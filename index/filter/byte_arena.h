// ByteArena: memory for small texts that are written once, never change and never move.
//
// Copies share what was written before: a copy costs a list of chunks, and both go on in chunks of their own.
//
// Threading: Append from one thread at a time. Texts may be read from any thread that learnt of them in an orderly way,
// also through another copy, and while their chunk is appended to.
// Ownership: owns the memory, together with its copies. Nothing is freed before all of them are gone.
// Failure: ends the process when memory is exhausted.
//
//   ByteArena arena;
//   absl::string_view kept = arena.Append("text");
#ifndef SIGHTLINE_INDEX_FILTER_BYTE_ARENA_H_
#define SIGHTLINE_INDEX_FILTER_BYTE_ARENA_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace sightline::index {

class ByteArena {
 public:
  ByteArena() = default;
  ByteArena(const ByteArena& other) : chunks_(other.chunks_), next_size_(other.next_size_), used_(other.used_) {}
  ByteArena(ByteArena&&) = default;
  ByteArena& operator=(ByteArena other) {
    chunks_ = std::move(other.chunks_);
    next_ = other.next_;
    room_ = other.room_;
    next_size_ = other.next_size_;
    used_ = other.used_;
    return *this;
  }

  absl::string_view Append(absl::string_view bytes) {
    if (bytes.empty()) return {};
    if (bytes.size() > room_) NewChunk(bytes.size());
    char* const place = next_;
    std::memcpy(place, bytes.data(), bytes.size());
    next_ += bytes.size();
    room_ -= bytes.size();
    used_ += bytes.size();
    return {place, bytes.size()};
  }

  // Bytes appended, here and before it was copied.
  size_t used() const { return used_; }

  // Bytes held; those shared with copies count in equal parts.
  size_t memory_bytes() const {
    size_t bytes = 0;
    for (const Chunk& chunk : chunks_) bytes += chunk.size / static_cast<size_t>(chunk.memory.use_count());
    return bytes;
  }

 private:
  struct Chunk {
    std::shared_ptr<char[]> memory;
    size_t size = 0;
  };
  // Small at first: most collections have few attributes.
  static constexpr size_t kFirstChunk = 1024;
  static constexpr size_t kMaxChunk = 256 * 1024;

  void NewChunk(size_t at_least) {
    const size_t size = std::max(next_size_, at_least);
    next_size_ = std::min(next_size_ * 2, kMaxChunk);
    chunks_.push_back({std::make_shared_for_overwrite<char[]>(size), size});
    next_ = chunks_.back().memory.get();
    room_ = size;
  }

  std::vector<Chunk> chunks_;
  char* next_ = nullptr;  // in the last chunk, which then is no copy's
  size_t room_ = 0;
  size_t next_size_ = kFirstChunk;
  size_t used_ = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_FILTER_BYTE_ARENA_H_
