// A reader of the pickles that torch.save writes. It builds plain values and descriptions of tensors, and runs nothing:
// the names of Python objects that a state dict needs are known to it, and any other name is refused.
//
// Protocols 2 and 3. The values refer to each other by number; a dict or list that contains itself is refused, so a
// walk over the values ends.
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
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/weights/dtype.h"

namespace sightline::weights {

using PickleId = uint32_t;

enum class PickleKind {
  kNone,
  kBool,
  kInt,
  kFloat,
  kText,
  kBytes,
  kTuple,
  kList,
  kDict,
  kGlobal,   // the name of a Python object, not the object
  kStorage,  // where values of a tensor lie
  kTensor,
  kOther,  // an object whose content does not matter here
};

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  int64_t integer = 0;               // kBool, kInt; kGlobal: which; kStorage, kTensor: index into the lists of Pickle
  double real = 0;                   // kFloat
  absl::string_view text = {};       // kText, kBytes; kGlobal: its name
  std::vector<PickleId> items = {};  // kTuple, kList; kDict: keys and values in turn
};

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

struct Pickle {
  std::vector<PickleValue> values;
  std::vector<PickleStorage> storages;
  std::vector<PickleTensor> tensors;
  std::deque<std::string> owned;
  PickleId root = 0;
  size_t bytes = 0;  // read; another pickle may follow

  const PickleValue& at(PickleId id) const { return values[id]; }
  // The value of a dict under a text; null where there is none.
  const PickleValue* Find(const PickleValue& dict, absl::string_view key) const;
};

struct PickleLimits {
  // A training checkpoint of a thousand tensors with two optimiser states takes 100,000 values and 3 MB.
  size_t max_bytes = 64 << 20;
  size_t max_values = 1'000'000;
  size_t max_dimensions = 8;
};

absl::StatusOr<Pickle> ReadPickle(absl::string_view bytes, const PickleLimits& limits);

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_PICKLE_H_
