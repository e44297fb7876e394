// The file `spaces`: which folders hold other spaces of collections (FORMAT.md, "Spaces").
//
// Threading: pure functions; a file is replaced as a whole. Failure: DATA_LOSS for a damaged file.
#ifndef SIGHTLINE_INDEX_STORE_SPACES_FILE_H_
#define SIGHTLINE_INDEX_STORE_SPACES_FILE_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sightline::index {

// The two folders of one collection.
struct StoredSpaces {
  std::string live_folder;
  std::string other_folder;
  bool previous = false;  // the other one is the space before, and not one being filled
  absl::Time drop_time;   // with `previous`
  // Of the other one, so that a space that is only kept need not be opened.
  std::string model;
  std::string embedding_space;
  int descriptor_dim = 0;
  int64_t images = 0;
};

using SpacesByName = std::map<std::string, StoredSpaces>;

std::string EncodeSpaces(const SpacesByName& spaces);
absl::StatusOr<SpacesByName> DecodeSpaces(absl::string_view value);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_SPACES_FILE_H_
