// What kind of file some bytes are, by their first bytes.
//
// Threading: pure functions. Failure: none.
//
//   if (!DetectFormat(bytes)) return Unknown(DescribeContent(bytes));   // "a GIF image"
#ifndef SIGHTLINE_MODEL_IMAGE_SIGNATURE_H_
#define SIGHTLINE_MODEL_IMAGE_SIGNATURE_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "model/image/decode.h"

namespace sightline::image {

// The format that can be decoded, if it is one.
std::optional<Format> DetectFormat(absl::string_view bytes);

// What other bytes look like, with an article: "a GIF image", "a PDF document", "text", "data of an unknown type".
absl::string_view DescribeContent(absl::string_view bytes);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_SIGNATURE_H_
