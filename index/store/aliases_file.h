// The file `aliases`: which names stand for which collections (FORMAT.md, "Aliases").
//
// Threading: pure functions; a file is replaced as a whole. Ownership: values. Failure: DATA_LOSS for a damaged file.
//
//   base::WriteFileDurably(path, EncodeAliases({{"shop", "shop-2026"}}));
#ifndef SIGHTLINE_INDEX_STORE_ALIASES_FILE_H_
#define SIGHTLINE_INDEX_STORE_ALIASES_FILE_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::index {

// From the alias to the name of its collection.
using AliasMap = std::map<std::string, std::string>;

std::string EncodeAliases(const AliasMap& aliases);
absl::StatusOr<AliasMap> DecodeAliases(absl::string_view value);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_ALIASES_FILE_H_
