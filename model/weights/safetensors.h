// Safetensors: the file format of weights. Eight bytes of little-endian header length, a JSON header that gives every
// tensor's dtype, shape and byte range, then the values, little-endian and row-major.
//
// Reading is strict: the ranges must fill the file exactly, without gaps and overlaps, and fit dtype and shape. Nothing
// is allocated in proportion to what a header claims, only to the bytes that are there.
//
// Threading: pure functions. Ownership: a parsed file views the bytes it was parsed from; keep them alive.
// Failure: INVALID_ARGUMENT with reason MALFORMED_WEIGHTS (MALFORMED_JSON for the header's syntax).
//
//   auto file = base::MappedFile::Open(path, kMaxBytes);
//   auto weights = weights::ParseSafetensors((*file)->bytes(), {});
//   for (const weights::TensorView& tensor : weights->tensors) Use(tensor.name, tensor.shape, tensor.bytes);
#ifndef SIGHTLINE_MODEL_WEIGHTS_SAFETENSORS_H_
#define SIGHTLINE_MODEL_WEIGHTS_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/weights/dtype.h"

namespace sightline::weights {

struct TensorView {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // empty for a scalar
  absl::string_view bytes;     // not necessarily aligned
};

struct Safetensors {
  std::vector<TensorView> tensors;  // sorted by name
  std::map<std::string, std::string> metadata;
};

struct SafetensorsLimits {
  // The largest public retrieval models have a thousand tensors of some 120 header bytes.
  int64_t max_header_bytes = 4 << 20;
  int64_t max_tensors = 20'000;
  int max_dimensions = 8;
};

absl::StatusOr<Safetensors> ParseSafetensors(absl::string_view file, const SafetensorsLimits& limits);

// The bytes of a file holding `tensors` in the order given. INVALID_ARGUMENT when a name is empty or occurs twice, or
// bytes and shape do not agree.
absl::StatusOr<std::string> SerializeSafetensors(absl::Span<const TensorView> tensors,
                                                 const std::map<std::string, std::string>& metadata);

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_SAFETENSORS_H_
