// What waits in a collection's queue of writes: already checked, normalised and encoded by the thread that asked.
#ifndef SIGHTLINE_INDEX_STORE_OPERATION_H_
#define SIGHTLINE_INDEX_STORE_OPERATION_H_

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "index/collection.h"
#include "index/store/record_codec.h"

namespace sightline::index {

template <typename Result>
using Done = std::function<void(absl::StatusOr<Result>)>;

struct PutOperation {
  StoredRecord stored;
  std::string request_id;
  bool copy = false;              // revision and times are the record's own
  std::vector<float> descriptor;  // as searches will see it
  std::string descriptor_value;   // these three without checksum
  std::string tokens_value;
  std::string image_value;
  Done<WriteResult> done;
};

struct DeleteOperation {
  std::vector<std::string> ids;
  Done<DeleteResult> done;
};

struct UpdateOperation {
  std::string id;
  AttributeChange change;
  Done<Record> done;
};

using Operation = std::variant<PutOperation, DeleteOperation, UpdateOperation>;

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_OPERATION_H_
