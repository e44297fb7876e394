// The keys on disk, and the page tokens made of them.
//
// Threading: pure functions. Failure: a key or token of the wrong shape gives nullopt.
#ifndef SIGHTLINE_INDEX_STORE_KEYS_H_
#define SIGHTLINE_INDEX_STORE_KEYS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sightline::index {

// Keys in the column family manifest.
inline constexpr absl::string_view kConfigKey = "config";
inline constexpr absl::string_view kCountersKey = "counters";
inline constexpr absl::string_view kSegmentsKey = "segments";
inline constexpr absl::string_view kConfidenceKey = "confidence";

// A record key, big-endian: RocksDB's order is the order of writing.
std::string RecordKey(uint64_t record_key);
std::optional<uint64_t> ParseRecordKey(absl::string_view key);

// In the column family requests: 'r' and the request id; 't', the time in microseconds (big-endian) and the request id,
// by which old ones are found.
std::string RequestKey(absl::string_view request_id);
std::string RequestTimeKey(absl::Time time, absl::string_view request_id);
struct RequestTime {
  absl::Time time;
  std::string request_id;
};
std::optional<RequestTime> ParseRequestTimeKey(absl::string_view key);

// A page token says after which record the next page begins; a checksum keeps made-up ones out.
std::string PageToken(uint64_t last_record_key);
std::optional<uint64_t> ParsePageToken(absl::string_view token);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_KEYS_H_
