// Convolutional vision transformers (CvT) in model.json. Defaults are CvT-13's.
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
#ifndef SIGHTLINE_MODEL_CONFIG_CVT_CONFIG_H_
#define SIGHTLINE_MODEL_CONFIG_CVT_CONFIG_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config/facts.h"
#include "model/config/fields.h"

namespace sightline::model {

// Every stage begins with a convolution: 7x7 with stride 4 and padding 2 in the first, 3x3 with stride 2 and padding 1
// in the others. The last stage has a class token.
struct CvtConfig {
  static constexpr absl::string_view kType = "cvt";
  std::vector<int> dims = {64, 192, 384};  // channels of every stage
  std::vector<int> depths = {1, 2, 10};    // blocks
  std::vector<int> heads = {1, 3, 6};
  int mlp_ratio = 4;  // hidden width of the MLP / channels

  static absl::StatusOr<CvtConfig> Parse(Fields& fields);
  nlohmann::json ToJson() const;
  BackboneFacts facts() const;
  int64_t parameters() const;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_CVT_CONFIG_H_
