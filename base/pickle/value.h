// What a pickle says, as plain values that refer to each other by number.
//
// Threading: values. Ownership: texts view the bytes that were read, or `PickleTree::owned`; a tree that is moved keeps
// them valid. Failure: none.
#ifndef SIGHTLINE_BASE_PICKLE_VALUE_H_
#define SIGHTLINE_BASE_PICKLE_VALUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sightline::base {

using PickleId = uint32_t;

enum class PickleKind {
  kNone,
  kBool,
  kInt,
  kFloat,
  kText,
  kBytes,
  kTuple,
  kList,  // also a set
  kDict,
  kGlobal,  // the name of a Python object, not the object
  kObject,  // what a reader's PickleObjects make beyond these; `type` is theirs
  kOther,   // an object whose content does not matter here
};

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  uint8_t type = 0;                  // kObject
  int64_t integer = 0;               // kBool, kInt; kGlobal, kObject: which
  double real = 0;                   // kFloat
  absl::string_view text = {};       // kText, kBytes; kGlobal: its name
  std::vector<PickleId> items = {};  // kTuple, kList; kDict: keys and values in turn
};

struct PickleTree {
  std::vector<PickleValue> values;
  std::deque<std::string> owned;
  PickleId root = 0;
  size_t bytes = 0;  // read; another pickle may follow

  const PickleValue& at(PickleId id) const { return values[id]; }
  PickleId Add(PickleValue value);
  // The value of a dict under a text; null where there is none.
  const PickleValue* Find(const PickleValue& dict, absl::string_view key) const;
};

struct PickleLimits {
  // A training checkpoint of a thousand tensors with two optimiser states takes 100,000 values and 3 MB.
  size_t max_bytes = 64 << 20;
  size_t max_values = 1'000'000;
  size_t max_dimensions = 8;  // of an array
  int newest_protocol = 5;
};

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_PICKLE_VALUE_H_
