// The values of the column families records, descriptors and images; FORMAT.md lists their fields.
//
// Threading: pure functions. Failure: Status that names the value (see codec.h).
//
// Encoders leave out the checksum, because the key is known only when the write is committed: SealValue adds it.
#ifndef SIGHTLINE_INDEX_STORE_RECORD_CODEC_H_
#define SIGHTLINE_INDEX_STORE_RECORD_CODEC_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "index/collection.h"
#include "index/record.h"

namespace sightline::index {

// What the record's value says beside the record: which of its other values there are.
struct StoredRecord {
  Record record;  // without descriptor, tokens and image
  bool has_tokens = false;
  bool has_image = false;
  // Which image it has, where that is not what the collection kept at first.
  std::optional<KeepImage> marked_image = {};
};

std::string EncodeRecord(const StoredRecord& stored);
absl::StatusOr<StoredRecord> DecodeRecord(absl::string_view key, absl::string_view value);

std::string EncodeDescriptor(const std::vector<float>& descriptor, DescriptorPrecision precision);
// `dim` is the collection's; another one means damage.
absl::StatusOr<std::vector<float>> DecodeDescriptor(absl::string_view key, absl::string_view value, int dim);

std::string EncodeImage(absl::string_view image);
absl::StatusOr<std::string> DecodeImage(absl::string_view key, absl::string_view value);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_RECORD_CODEC_H_
