// The value of the column family tokens; FORMAT.md lists its fields.
//
// What is read is what was written, to the last bit; values in float16 are rounded to what that can hold.
// A value takes fewer bytes where nothing is lost by it: int8 codes whose scales make them unit vectors need no scales,
// and importance and centre take two bytes a value where half precision holds them. Tokens as models make them do both:
// 14x14x128 in int8 is 25,749 bytes.
//
// Threading: pure functions. Failure: Status that names the value (see codec.h).
//
// The encoder leaves out the checksum, because the key is known only when the write is committed: SealValue adds it.
#ifndef SIGHTLINE_INDEX_STORE_TOKEN_CODEC_H_
#define SIGHTLINE_INDEX_STORE_TOKEN_CODEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "index/record.h"

namespace sightline::index {

// Of tokens that ValidateRecord accepts.
std::string EncodeTokens(const PatchTokens& tokens);
absl::StatusOr<PatchTokens> DecodeTokens(absl::string_view key, absl::string_view value);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_TOKEN_CODEC_H_
