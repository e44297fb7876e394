// InputObserver: watches what reaches the convolutions of a network while images go through it, and calibrates them.
//
// Threading: one thread at a time, as the network. Ownership: values are counted, not kept. Failure: none.
//
//   auto observer = std::make_shared<InputObserver>();
//   PlanInference(network, {.observer = observer});
//   ... run images ...
//   calibration.inputs = observer->Scales();
#ifndef SIGHTLINE_MODEL_CALIBRATION_INPUT_OBSERVER_H_
#define SIGHTLINE_MODEL_CALIBRATION_INPUT_OBSERVER_H_

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "model/calibration/calibration.h"
#include "model/calibration/input_histogram.h"

namespace sightline::model {

class InputObserver {
 public:
  // `values` of the input of the layer `name`, in any order. Of many, some evenly spread ones are looked at.
  void See(const std::string& name, absl::Span<const float> values) {
    // Odd, so that with channels last it does not keep hitting the same channels.
    size_t stride = values.size() / kMostLookedAt;
    stride += stride % 2 == 0 ? 1 : 0;
    sample_.clear();
    for (size_t i = 0; i < values.size(); i += stride) sample_.push_back(values[i]);
    histograms_[name].Add(sample_);
  }

  std::map<std::string, InputScale> Scales() const {
    std::map<std::string, InputScale> scales;
    for (const auto& [name, histogram] : histograms_) scales[name] = histogram.Choose();
    return scales;
  }

 private:
  static constexpr size_t kMostLookedAt = 1 << 17;
  std::vector<float> sample_;
  std::map<std::string, InputHistogram> histograms_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CALIBRATION_INPUT_OBSERVER_H_
