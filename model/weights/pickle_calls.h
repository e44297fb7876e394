// What the calls in a pickled state dict make: dicts, tensors over storages, numpy arrays. Each known function is done
// here in our own terms; none of Python's is run.
//
// Threading: one thread at a time. Ownership: adds to the Pickle it is given, which must outlive it. Failure:
// INVALID_ARGUMENT with reason MALFORMED_WEIGHTS.
#ifndef SIGHTLINE_MODEL_WEIGHTS_PICKLE_CALLS_H_
#define SIGHTLINE_MODEL_WEIGHTS_PICKLE_CALLS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/pickle/machine.h"
#include "model/weights/pickle.h"
#include "model/weights/pickle_globals.h"

namespace sightline::weights {

class PickleCalls : public base::PickleObjects {
 public:
  PickleCalls(Pickle& pickle, const PickleLimits& limits) : pickle_(pickle), limits_(limits) {}

  absl::StatusOr<PickleValue> Global(absl::string_view module, absl::string_view name) override;
  // The result of a call; `arguments` must be a tuple.
  absl::StatusOr<PickleId> Call(PickleId function, PickleId arguments) override;
  // What an object is given after it was made: the values of an array, attributes that do not matter of anything else.
  absl::Status SetState(PickleId target, PickleId state) override;
  // A storage from ("storage", type, key, device, count) and, in the older format, the part of it that is meant.
  absl::StatusOr<PickleId> Persistent(PickleId id) override;
  absl::Status Malformed(absl::string_view problem) const override;

 private:
  absl::StatusOr<PickleId> MakeDict(const PickleValue& arguments);
  absl::StatusOr<PickleId> MakeTensor(const PickleValue& arguments);
  absl::StatusOr<PickleId> MakeBytes(const PickleValue& arguments);
  PickleId MakeArray();
  absl::StatusOr<PickleId> MakeScalar(const PickleValue& arguments);
  absl::Status FillArray(PickleTensor& array, const PickleValue& state);
  const PickleValue& Item(const PickleValue& value, size_t i) const { return pickle_.values[value.items[i]]; }
  // The whole numbers of a tuple or list; nothing where it is something else or longer than a shape may be.
  std::optional<std::vector<int64_t>> Numbers(const PickleValue& value) const;

  Pickle& pickle_;
  const PickleLimits& limits_;
  std::vector<KnownGlobal> globals_;
  size_t owned_bytes_ = 0;
  size_t copied_pairs_ = 0;
};

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_PICKLE_CALLS_H_
