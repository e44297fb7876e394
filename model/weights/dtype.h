// The kinds of numbers that weights are stored as, and their values as float32.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_MODEL_WEIGHTS_DTYPE_H_
#define SIGHTLINE_MODEL_WEIGHTS_DTYPE_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sightline::weights {

enum class DType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

inline constexpr DType kDTypes[] = {DType::kF64, DType::kF32, DType::kF16, DType::kBF16, DType::kI64,
                                    DType::kI32, DType::kI16, DType::kI8,  DType::kU8,   DType::kBool};

// "F32" and so on, as safetensors names them.
absl::string_view DTypeName(DType dtype);
int64_t DTypeBytes(DType dtype);

// Little-endian values, not necessarily aligned, each rounded to the nearest float32. `bytes` must hold as many values
// as there is room for in `out`.
void ToFloats(DType dtype, absl::string_view bytes, absl::Span<float> out);

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_DTYPE_H_
