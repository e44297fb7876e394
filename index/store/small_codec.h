// The small values: the collection's settings, counters and confidence (column family manifest), ids and request ids.
//
// Threading: pure functions. Failure: Status that names the value (see codec.h).
#ifndef SIGHTLINE_INDEX_STORE_SMALL_CODEC_H_
#define SIGHTLINE_INDEX_STORE_SMALL_CODEC_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "index/collection.h"

namespace sightline::index {

// Written with every batch.
struct Counters {
  uint64_t next_key = 1;
  int64_t sequence = 0;  // writes so far
};

// What a request id led to.
struct StoredRequest {
  absl::Time time;
  std::string id;
  int64_t revision = 0;
};

std::string EncodeConfig(absl::string_view key, const CollectionConfig& config);
absl::StatusOr<CollectionConfig> DecodeConfig(absl::string_view key, absl::string_view value);

std::string EncodeCounters(absl::string_view key, const Counters& counters);
absl::StatusOr<Counters> DecodeCounters(absl::string_view key, absl::string_view value);

std::string EncodeConfidence(absl::string_view key, const FittedConfidence& confidence);
absl::StatusOr<FittedConfidence> DecodeConfidence(absl::string_view key, absl::string_view value);

// The record key that an id leads to.
std::string EncodeRecordKey(absl::string_view id, uint64_t record_key);
absl::StatusOr<uint64_t> DecodeRecordKey(absl::string_view id, absl::string_view value);

std::string EncodeRequest(absl::string_view key, const StoredRequest& request);
absl::StatusOr<StoredRequest> DecodeRequest(absl::string_view key, absl::string_view value);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_SMALL_CODEC_H_
