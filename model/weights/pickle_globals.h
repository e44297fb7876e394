// The Python objects that a pickled state dict may name, and what each stands for here.
//
// Threading: pure functions. Failure: std::nullopt for every other name.
#ifndef SIGHTLINE_MODEL_WEIGHTS_PICKLE_GLOBALS_H_
#define SIGHTLINE_MODEL_WEIGHTS_PICKLE_GLOBALS_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "model/weights/dtype.h"

namespace sightline::weights {

enum class PickleGlobal {
  kDict,              // collections.OrderedDict
  kSequence,          // torch.Size, set and the like, made from one sequence
  kRebuildTensor,     // torch._utils._rebuild_tensor, _rebuild_tensor_v2
  kRebuildParameter,  // torch._utils._rebuild_parameter
  kStorageType,       // torch.FloatStorage and so on
  kEncode,            // _codecs.encode: how protocol 2 writes bytes
  kArrayRebuild,      // numpy.core.multiarray._reconstruct
  kArrayType,         // numpy.ndarray
  kArrayDType,        // numpy.dtype
  kArrayScalar,       // numpy.core.multiarray.scalar
  kInert,             // settings that training programs save: argparse.Namespace, torch.device, ...
};

struct KnownGlobal {
  PickleGlobal what = PickleGlobal::kInert;
  DType dtype = DType::kF32;  // of a storage
};

std::optional<KnownGlobal> FindPickleGlobal(absl::string_view module, absl::string_view name);

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_PICKLE_GLOBALS_H_
