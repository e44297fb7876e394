// A reader of the pickles that torch.save writes: base/pickle's machine, with the names of the Python objects that a
// state dict needs. It builds plain values and descriptions of tensors, and runs nothing; any other name is refused.
//
// Threading: pure functions. Ownership: texts view the bytes that were read, or `Pickle::owned`. Failure:
// INVALID_ARGUMENT with reason MALFORMED_WEIGHTS and a sentence that names the object or operation.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const Pickle pickle, ReadPickle(bytes, {}));
//   const PickleValue& root = pickle.values[pickle.root];
#ifndef SIGHTLINE_MODEL_WEIGHTS_PICKLE_H_
#define SIGHTLINE_MODEL_WEIGHTS_PICKLE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/pickle/value.h"
#include "model/weights/dtype.h"

namespace sightline::weights {

using base::PickleId;
using base::PickleKind;
using base::PickleLimits;
using base::PickleValue;

// The types of PickleKind::kObject here. `integer` is an index into the lists of Pickle.
constexpr uint8_t kStorageObject = 1;  // where values of a tensor lie
constexpr uint8_t kTensorObject = 2;

inline bool IsStorage(const PickleValue& value) {
  return value.kind == PickleKind::kObject && value.type == kStorageObject;
}
inline bool IsTensor(const PickleValue& value) {
  return value.kind == PickleKind::kObject && value.type == kTensorObject;
}

// `count` values of `dtype`: from `offset` on in the storage `key` of the file, or `inline_bytes`.
struct PickleStorage {
  DType dtype = DType::kF32;
  absl::string_view key = {};
  int64_t offset = 0;
  int64_t count = 0;
  std::optional<absl::string_view> inline_bytes = std::nullopt;  // the values of a numpy array
};

// A view of a storage, checked to lie within its `count` values. Offset and strides are in values.
struct PickleTensor {
  size_t storage = 0;  // index into Pickle::storages
  int64_t offset = 0;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
};

struct Pickle : base::PickleTree {
  std::vector<PickleStorage> storages;
  std::vector<PickleTensor> tensors;
};

// Protocols 2 and 3, whatever newer one the limits allow.
absl::StatusOr<Pickle> ReadPickle(absl::string_view bytes, const PickleLimits& limits);

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_PICKLE_H_
