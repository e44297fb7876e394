// ForEachSimdLevel: runs a check once for every SIMD level this machine has, the kernels held to that level.
//
// Threading: one thread at a time; nothing else may call a kernel meanwhile.
//
//   ForEachSimdLevel([] { EXPECT_EQ(Fast(values), Reference(values)); });
#ifndef SIGHTLINE_TESTS_INDEX_SIMD_LEVELS_H_
#define SIGHTLINE_TESTS_INDEX_SIMD_LEVELS_H_

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdint>
#include <functional>

#include "index/kernels/inner_product.h"

namespace sightline::index {

inline void ForEachSimdLevel(const std::function<void()>& check) {
  for (int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) {
    hwy::GetChosenTarget().Update(left & -left);
    SCOPED_TRACE(kernels::LevelName());
    check();
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
}

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_INDEX_SIMD_LEVELS_H_
