// StoreView::ReadTokens: ids to record keys, record keys to tokens, each in one call of RocksDB per batch.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/store/codec.h"
#include "index/store/keys.h"
#include "index/store/store.h"
#include "index/store/token_codec.h"

namespace sightline::index {
namespace {

// Ids looked up together: a batch of 14x14x128 int8 tokens pins 3 MiB beside the results.
constexpr size_t kTokenBatch = 128;

// `status` with the id that it is about.
absl::Status AboutId(const absl::Status& status, const std::string& id) {
  const base::ErrorInfo info = base::GetErrorInfo(status);
  const std::string text = absl::StrCat("image '", id, "': ", status.message());
  if (info.retry_after) return base::RetryableError(status.code(), info.reason, text, *info.retry_after, {{"id", id}});
  return base::Error(status.code(), info.reason, text, {{"id", id}});
}

}  // namespace

std::vector<absl::StatusOr<std::optional<rocksdb::PinnableSlice>>> StoreView::FindAll(
    Family family, absl::Span<const std::string> keys) const {
  std::vector<absl::StatusOr<std::optional<rocksdb::PinnableSlice>>> found;
  found.reserve(keys.size());
  if (!lease_.status().ok()) {
    for (size_t i = 0; i < keys.size(); ++i) found.emplace_back(lease_.status());
    return found;
  }
  const std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  lease_.db().MultiGet(Options(), lease_.family(family), keys.size(), slices.data(), values.data(), statuses.data());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].IsNotFound()) {
      found.emplace_back(std::nullopt);
    } else if (!statuses[i].ok()) {
      found.emplace_back(FromRocks(statuses[i], "read"));
    } else {
      found.emplace_back(std::move(values[i]));
    }
  }
  return found;
}

absl::StatusOr<std::optional<PatchTokens>> StoreView::DecodeTokensOf(
    uint64_t key, const absl::StatusOr<std::optional<rocksdb::PinnableSlice>>& value) const {
  SIGHTLINE_RETURN_IF_ERROR(value.status());
  if (*value) {
    SIGHTLINE_ASSIGN_OR_RETURN(PatchTokens tokens, DecodeTokens(RecordKey(key), ToView(**value)));
    tokens.stored_as = {lease_.number(), key};
    return std::optional<PatchTokens>(std::move(tokens));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const StoredRecord stored, ReadRecord(key));
  if (stored.has_tokens) return DamagedError("patch tokens", "they are missing");
  return std::optional<PatchTokens>();
}

absl::StatusOr<std::vector<std::optional<PatchTokens>>> StoreView::ReadTokens(absl::Span<const std::string> ids) const {
  std::vector<std::optional<PatchTokens>> result(ids.size());
  for (size_t begin = 0; begin < ids.size(); begin += kTokenBatch) {
    const absl::Span<const std::string> batch = ids.subspan(begin, kTokenBatch);
    const auto key_values = FindAll(Family::kIds, batch);
    std::vector<std::pair<uint64_t, size_t>> keys;  // with the place of its id
    for (size_t i = 0; i < batch.size(); ++i) {
      if (!key_values[i].ok()) return AboutId(key_values[i].status(), batch[i]);
      if (!*key_values[i]) continue;
      const absl::StatusOr<uint64_t> key = DecodeRecordKey(batch[i], ToView(**key_values[i]));
      if (!key.ok()) return AboutId(key.status(), batch[i]);
      keys.emplace_back(*key, begin + i);
    }
    // Blobs are then read in the order in which they lie.
    std::sort(keys.begin(), keys.end());
    std::vector<std::string> record_keys;
    for (const auto& [key, place] : keys) record_keys.push_back(RecordKey(key));
    const auto values = FindAll(Family::kTokens, record_keys);
    for (size_t i = 0; i < keys.size(); ++i) {
      const auto& [key, place] = keys[i];
      absl::StatusOr<std::optional<PatchTokens>> tokens = DecodeTokensOf(key, values[i]);
      if (!tokens.ok()) return AboutId(tokens.status(), ids[place]);
      result[place] = *std::move(tokens);
    }
  }
  return result;
}

}  // namespace sightline::index
