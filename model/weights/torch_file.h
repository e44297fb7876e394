// The two containers of torch.save: a pickle of plain values and, beside it, the bytes of every storage.
//
// Threading: pure functions. Ownership: views the bytes it was read from. Failure: INVALID_ARGUMENT with reason
// MALFORMED_WEIGHTS.
//
//   if (LooksLikeTorchZip(bytes)) file = ReadTorchZip(bytes);
#ifndef SIGHTLINE_MODEL_WEIGHTS_TORCH_FILE_H_
#define SIGHTLINE_MODEL_WEIGHTS_TORCH_FILE_H_

#include <map>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/weights/pickle.h"

namespace sightline::weights {

struct TorchFile {
  Pickle pickle;
  std::map<absl::string_view, absl::string_view> storages;  // by key
};

bool LooksLikeTorchZip(absl::string_view bytes);
bool LooksLikeTorchLegacy(absl::string_view bytes);

absl::StatusOr<TorchFile> ReadTorchZip(absl::string_view bytes);

// Three pickles (a number that marks the format, its version, the machine that wrote it), the pickle of the content,
// the list of storage keys, then per key the count of values in 8 bytes and the values.
absl::StatusOr<TorchFile> ReadTorchLegacy(absl::string_view bytes);

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_TORCH_FILE_H_
