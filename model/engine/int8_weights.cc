#include "model/engine/int8_weights.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <dnnl.hpp>
#include <limits>

namespace sightline::model::engine {

bool HasInt8() {
#if defined(__x86_64__)
  const auto has = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_vnni);
  return (has & wanted) == wanted;
#else
  return false;
#endif
}

Int8Weights::Int8Weights(const float* weight, int64_t out, int64_t in)
    : codes(static_cast<size_t>(out * in)), scales(static_cast<size_t>(out)), sums(static_cast<size_t>(out)) {
  for (int64_t n = 0; n < out; ++n) {
    const float* const row = weight + n * in;
    int8_t* const to = codes.data() + n * in;
    float largest = 0;
    for (int64_t k = 0; k < in; ++k) largest = std::max(largest, std::abs(row[k]));
    const float scale = largest / 127;
    // Also what is so small that its scale is not a normal number.
    if (!(scale >= std::numeric_limits<float>::min())) continue;
    int32_t sum = 0;
    for (int64_t k = 0; k < in; ++k) {
      const auto code = static_cast<int8_t>(std::clamp(std::nearbyint(row[k] / scale), -127.0f, 127.0f));
      to[k] = code;
      sum += code;
    }
    scales[static_cast<size_t>(n)] = scale;
    sums[static_cast<size_t>(n)] = sum;
  }
}

}  // namespace sightline::model::engine
