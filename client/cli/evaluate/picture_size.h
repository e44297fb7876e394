// PictureSize: width and height of an encoded picture, from its header alone, so that a box can be drawn over it.
//
// Threading: a pure function. Failure: std::nullopt for what is no JPEG or PNG file, or is cut off.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_PICTURE_SIZE_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_PICTURE_SIZE_H_

#include <optional>
#include <utility>

#include "absl/strings/string_view.h"

namespace sightline::cli {

// In pixels as they are stored: an EXIF orientation is not applied.
std::optional<std::pair<int, int>> PictureSize(absl::string_view bytes);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_PICTURE_SIZE_H_
