// The head of DOLG (deep orthogonal local and global features, METHODS 4.9) in model.json: it reads the last two maps
// of a convolutional backbone. Defaults are the paper's.
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
#ifndef SIGHTLINE_MODEL_CONFIG_DOLG_CONFIG_H_
#define SIGHTLINE_MODEL_CONFIG_DOLG_CONFIG_H_

#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config/facts.h"
#include "model/config/fields.h"

namespace sightline::model {

struct DolgConfig {
  static constexpr absl::string_view kType = "dolg";
  int dim = 512;       // N, the descriptor's size
  int hidden = 1024;   // of the global and of the local vector
  int aspp_dim = 512;  // width of each ASPP branch

  static absl::StatusOr<DolgConfig> Parse(Fields& fields);
  nlohmann::json ToJson() const { return {{"dim", dim}, {"hidden", hidden}, {"aspp_dim", aspp_dim}}; }
  HeadFacts facts() const { return {.maps = 2}; }
  int descriptor_dim(const BackboneFacts&) const { return dim; }
  int64_t parameters(const BackboneFacts& backbone) const;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_DOLG_CONFIG_H_
