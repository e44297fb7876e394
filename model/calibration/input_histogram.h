// InputHistogram: how the values of one input are spread, and the scale that loses least when they become bytes.
//
// The scale minimises the mean square error over where the range is cut off: a few values far out cost less cut off
// than the coarser steps that reach them would cost all others.
//
// Threading: one thread at a time. Ownership: values are counted, not kept. Failure: none; what is not finite is left
// out.
//
//   InputHistogram histogram;
//   histogram.Add(values);
//   const InputScale scale = histogram.Choose();
#ifndef SIGHTLINE_MODEL_CALIBRATION_INPUT_HISTOGRAM_H_
#define SIGHTLINE_MODEL_CALIBRATION_INPUT_HISTOGRAM_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model/calibration/calibration.h"

namespace sightline::model {

class InputHistogram {
 public:
  void Add(absl::Span<const float> values);

  // Scale 1 where there were only zeros; signed if any value was negative.
  InputScale Choose() const;

 private:
  static constexpr int kBins = 2048;

  // Makes `value` fit below limit_ by doubling the width of the bins.
  void Widen(float value);

  float limit_ = 0;  // the bins share [0, limit_) evenly; 0 before the first value
  bool negative_ = false;
  std::vector<int64_t> counts_ = std::vector<int64_t>(kBins);  // of |x|; zeros, which are exact, are left out
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CALIBRATION_INPUT_HISTOGRAM_H_
