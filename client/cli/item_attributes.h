// ItemAttributes: what `index` stores with each image, from three places: --attribute for all, a CSV file with a row
// for an image, and a JSON file beside an image. The nearer to the image, the stronger.
//
// A CSV file has a column `id` (as the images' ids) or `path` (relative to the folder that is indexed, or as given);
// every other column is an attribute, "key" or "key:type" as in --attribute; an empty field is no attribute. A sidecar
// of photo.jpg is photo.jpg.json: one object of texts, numbers, booleans and lists of texts; null is no attribute.
//
// A table is kept as the text of its rows: a million of them take little more than their file.
//
// Threading: one thread at a time. Failure: Load: INVALID_ARGUMENT with the line; Of: with the sidecar's path.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(ItemAttributes attributes, ItemAttributes::Load({.table = "shop.csv"}));
//   SIGHTLINE_ASSIGN_OR_RETURN(const AttributeMap map, attributes.Of(file));
#ifndef SIGHTLINE_CLIENT_CLI_ITEM_ATTRIBUTES_H_
#define SIGHTLINE_CLIENT_CLI_ITEM_ATTRIBUTES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/image_files.h"
#include "client/cli/values.h"

namespace sightline::cli {

class ItemAttributes {
 public:
  struct Options {
    AttributeMap common = {};
    std::string table = {};  // a CSV file; empty: none
    bool sidecars = false;
  };

  static absl::StatusOr<ItemAttributes> Load(Options options);

  absl::StatusOr<AttributeMap> Of(const ImageFile& file);

  // Whether images may have attributes at all.
  bool any() const { return sidecars_ || !common_.empty() || !keys_.empty(); }
  // What the table has that was asked for by no file yet, and files that had no row.
  int64_t unused_rows() const { return static_cast<int64_t>(rows_.size()) - used_; }
  int64_t without_row() const { return without_row_; }

 private:
  struct Row {
    uint64_t begin = 0;  // in text_: the fields, each with a NUL behind it
    bool used = false;
  };

  absl::Status LoadTable(const std::string& path);
  const Row* FindRow(const ImageFile& file);

  AttributeMap common_;
  bool sidecars_ = false;
  std::vector<std::string> keys_;  // of the columns, "key:type"; empty for the one that names the image
  std::string text_;
  absl::flat_hash_map<std::string, Row> rows_;  // by id or path
  int64_t used_ = 0;
  int64_t without_row_ = 0;
};

// The attributes of one JSON object. `name` is that of its file, for the errors.
absl::StatusOr<AttributeMap> ParseSidecar(const std::string& name, absl::string_view json);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_ITEM_ATTRIBUTES_H_
