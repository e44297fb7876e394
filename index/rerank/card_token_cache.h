// The card's memory for re-ranking: tokens that stay, by the name they were stored under, and pieces for the batch that
// is being made. One allocation, divided by an Arena; tokens that were used longest ago make room.
//
// A batch is what is held and taken between two calls of BeginBatch: none of it makes room for the rest of it.
//
// Threading: one thread at a time; what is put in goes through stream(), in order. Ownership: owns the memory; pointers
// are the card's, those of a batch valid until the next one begins, which is after the stream was waited for. Failure:
// nullopt where there is no room beside the rest of the batch; Status as in index/gpu/cuda_status.h, after which Forget
// must be called, because uploads may be half done.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto cache, CardTokenCache::Open(bytes, least_bytes));
//   cache->BeginBatch();
//   SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<CardTokens> tokens, cache->Hold(*result.tokens));
#ifndef SIGHTLINE_INDEX_RERANK_CARD_TOKEN_CACHE_H_
#define SIGHTLINE_INDEX_RERANK_CARD_TOKEN_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "index/gpu/arena.h"
#include "index/gpu/device_memory.h"
#include "index/record.h"
#include "index/rerank/card_tokens.h"
#include "index/rerank/transport_kernels.h"

namespace sightline::index::rerank {

class CardTokenCache {
 public:
  // Of the largest tokens that are taken; the dimension is that of a collection's too.
  static constexpr int kMostDim = 1024;

  // On the current card.
  static absl::StatusOr<std::unique_ptr<CardTokenCache>> Open(size_t bytes, size_t least_bytes);

  cudaStream_t stream() const { return stream_.get(); }
  size_t bytes() const { return memory_.bytes(); }
  size_t used() const { return arena_.used(); }
  int64_t images() const { return static_cast<int64_t>(residents_.size()); }
  int64_t found() const { return found_; }
  int64_t uploads() const { return uploads_; }
  int64_t evicted() const { return evicted_; }

  void BeginBatch();

  // Uploads them unless they are there. At most kMostCardCells cells and kMostDim values each.
  absl::StatusOr<std::optional<CardTokens>> Hold(const PatchTokens& tokens);
  // Null unless they are there.
  const CardTokensLayout* Find(const PatchTokens& tokens) const;

  // A piece for the batch, with anything in it.
  std::optional<char*> Take(size_t bytes);
  // To the card, in the stream's order; `write` fills the `bytes` on the host before this returns.
  absl::Status Upload(char* to, size_t bytes, absl::FunctionRef<void(char*)> write);

  // What the stream has made of it by then, in memory that stays as it is until the next call.
  absl::StatusOr<const char*> Download(const char* from, size_t bytes);

  // Waits, and lets everything go, of the batch too.
  void Forget();

 private:
  struct Resident {
    std::pair<uint64_t, uint64_t> name;
    CardTokensLayout layout;
    size_t at = 0;
    int64_t batch = 0;  // the last that held it
  };
  using Residents = std::list<Resident>;

  CardTokenCache(gpu::DeviceBuffer<char> memory, gpu::PinnedBuffer<char> staging, gpu::Stream stream);
  std::optional<size_t> TakeAt(size_t bytes);
  // A part of the staging memory that the stream does not use.
  absl::StatusOr<char*> Stage(size_t bytes);
  absl::Status Wait();

  gpu::DeviceBuffer<char> memory_;
  gpu::PinnedBuffer<char> staging_;
  gpu::Stream stream_;
  size_t staged_ = 0;  // of the staging memory: what the stream may still be using
  gpu::Arena arena_;
  int64_t batch_ = 0;
  std::vector<size_t> of_batch_;  // pieces without a name
  Residents residents_;           // used last comes first
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, Residents::iterator> by_name_;
  int64_t found_ = 0, uploads_ = 0, evicted_ = 0;
};

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_CARD_TOKEN_CACHE_H_
