// What may be stored: the checks of everything that comes from a caller, in words that the caller can act on.
//
// ValidateRecord and ValidateCollectionName are declared in collection.h, because callers use them too.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT.
#ifndef SIGHTLINE_INDEX_VALIDATE_H_
#define SIGHTLINE_INDEX_VALIDATE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "index/collection.h"

namespace sightline::index {

absl::Status ValidateConfig(const CollectionConfig& config, const RecordLimits& limits);

absl::Status ValidateAttributes(const Attributes& attributes, const RecordLimits& limits);

absl::Status ValidateId(absl::string_view id, const RecordLimits& limits);

absl::Status ValidateRequestId(absl::string_view request_id, const RecordLimits& limits);

// `values` divided by their Euclidean norm, which is summed in double precision. Refuses a size other than `dim`,
// values that are not finite, and a vector of zeros.
absl::StatusOr<std::vector<float>> NormalizeDescriptor(absl::Span<const float> values, int dim);

// UTF-8 without overlong forms, surrogates and code points above U+10FFFF.
bool IsUtf8(absl::string_view text);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_VALIDATE_H_
