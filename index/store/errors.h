// Errors that several files of this room give in the same words.
#ifndef SIGHTLINE_INDEX_STORE_ERRORS_H_
#define SIGHTLINE_INDEX_STORE_ERRORS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::index {

inline absl::Status RecordNotFound(const std::string& id, const std::string& collection) {
  return base::NotFound(
      "IMAGE_NOT_FOUND",
      absl::StrCat("collection ", collection, " has no image \"", id, "\". List its images to see their ids."),
      {{"id", id}, {"collection", collection}});
}

inline absl::Status CollectionDeleted(const std::string& collection) {
  return base::NotFound(
      "COLLECTION_NOT_FOUND",
      absl::StrCat("collection ", collection, " was deleted or closed. Create it again, or use another."),
      {{"collection", collection}});
}

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_ERRORS_H_
