#include "index/rerank/card_token_cache.h"

#include <algorithm>

#include "base/status.h"

namespace sightline::index::rerank {
namespace {

// Twice the largest tokens: 1,024 cells of 1,024 floats.
constexpr size_t kStagingBytes = 8 << 20;
constexpr size_t kStagingAlignment = 64;
static_assert(kStagingBytes >= sizeof(float) * kMostCardCells * (CardTokenCache::kMostDim + 3));

std::pair<uint64_t, uint64_t> NameOf(const PatchTokens& tokens) {
  return {tokens.stored_as.store, tokens.stored_as.key};
}

}  // namespace

absl::StatusOr<std::unique_ptr<CardTokenCache>> CardTokenCache::Open(size_t bytes, size_t least_bytes) {
  SIGHTLINE_ASSIGN_OR_RETURN(gpu::Stream stream, gpu::Stream::Create());
  SIGHTLINE_ASSIGN_OR_RETURN(auto staging, gpu::PinnedBuffer<char>::Allocate(kStagingBytes));
  auto memory = gpu::DeviceBuffer<char>::Allocate(bytes);
  while (absl::IsResourceExhausted(memory.status()) && bytes / 2 >= least_bytes) {
    bytes /= 2;
    memory = gpu::DeviceBuffer<char>::Allocate(bytes);
  }
  SIGHTLINE_RETURN_IF_ERROR(memory.status());
  return std::unique_ptr<CardTokenCache>(new CardTokenCache(*std::move(memory), std::move(staging), std::move(stream)));
}

CardTokenCache::CardTokenCache(gpu::DeviceBuffer<char> memory, gpu::PinnedBuffer<char> staging, gpu::Stream stream)
    : memory_(std::move(memory)), staging_(std::move(staging)), stream_(std::move(stream)), arena_(memory_.bytes()) {}

void CardTokenCache::BeginBatch() {
  for (const size_t at : of_batch_) arena_.Give(at);
  of_batch_.clear();
  ++batch_;
}

const CardTokensLayout* CardTokenCache::Find(const PatchTokens& tokens) const {
  if (tokens.stored_as.store == 0) return nullptr;
  const auto it = by_name_.find(NameOf(tokens));
  return it == by_name_.end() ? nullptr : &it->second->layout;
}

absl::StatusOr<std::optional<CardTokens>> CardTokenCache::Hold(const PatchTokens& tokens) {
  const bool named = tokens.stored_as.store != 0;
  if (const auto it = named ? by_name_.find(NameOf(tokens)) : by_name_.end(); it != by_name_.end()) {
    Resident& resident = *it->second;
    found_ += resident.batch < batch_;
    resident.batch = batch_;
    residents_.splice(residents_.begin(), residents_, it->second);
    return resident.layout.At(memory_.data() + resident.at);
  }
  const CardTokensLayout layout(tokens);
  const std::optional<size_t> at = TakeAt(layout.bytes());
  if (!at) return std::nullopt;
  if (named) {
    residents_.push_front({NameOf(tokens), layout, *at, batch_});
    by_name_[residents_.front().name] = residents_.begin();
  } else {
    of_batch_.push_back(*at);
  }
  ++uploads_;
  char* const card = memory_.data() + *at;
  SIGHTLINE_RETURN_IF_ERROR(Upload(card, layout.bytes(), [&](char* to) { layout.Encode(tokens, to); }));
  return layout.At(card);
}

std::optional<size_t> CardTokenCache::TakeAt(size_t bytes) {
  while (true) {
    if (const std::optional<size_t> at = arena_.Take(bytes)) return at;
    if (residents_.empty() || residents_.back().batch == batch_) return std::nullopt;
    arena_.Give(residents_.back().at);
    by_name_.erase(residents_.back().name);
    residents_.pop_back();
    ++evicted_;
  }
}

std::optional<char*> CardTokenCache::Take(size_t bytes) {
  const std::optional<size_t> at = TakeAt(bytes);
  if (!at) return std::nullopt;
  of_batch_.push_back(*at);
  return memory_.data() + *at;
}

absl::Status CardTokenCache::Upload(char* to, size_t bytes, absl::FunctionRef<void(char*)> write) {
  SIGHTLINE_ASSIGN_OR_RETURN(char* const from, Stage(bytes));
  write(from);
  return gpu::CudaStatus(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream()), "an upload");
}

absl::StatusOr<const char*> CardTokenCache::Download(const char* from, size_t bytes) {
  SIGHTLINE_ASSIGN_OR_RETURN(char* const to, Stage(bytes));
  SIGHTLINE_RETURN_IF_ERROR(
      gpu::CudaStatus(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream()), "a download"));
  SIGHTLINE_RETURN_IF_ERROR(Wait());
  return to;
}

absl::StatusOr<char*> CardTokenCache::Stage(size_t bytes) {
  if (bytes > staging_.size() - staged_) SIGHTLINE_RETURN_IF_ERROR(Wait());
  char* const at = staging_.data() + staged_;
  const size_t rounded = (bytes + kStagingAlignment - 1) / kStagingAlignment * kStagingAlignment;
  staged_ = std::min(staging_.size(), staged_ + rounded);
  return at;
}

absl::Status CardTokenCache::Wait() {
  SIGHTLINE_RETURN_IF_ERROR(stream_.Wait("re-ranking"));
  staged_ = 0;
  return absl::OkStatus();
}

void CardTokenCache::Forget() {
  // Where it fails, it has failed before.
  (void)Wait();
  BeginBatch();
  for (const Resident& resident : residents_) arena_.Give(resident.at);
  residents_.clear();
  by_name_.clear();
}

}  // namespace sightline::index::rerank
