// The member "sampler" of a training configuration.
//
// Threading: values and pure functions. Failure: INVALID_ARGUMENT that names the member.
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_SAMPLER_CONFIG_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_SAMPLER_CONFIG_H_

#include <nlohmann/json.hpp>
#include <vector>

#include "absl/status/statusor.h"
#include "model/config/fields.h"

namespace sightline::train {

struct SamplerConfig {
  struct Size {
    int width = 224;
    int height = 224;
  };
  int batch = 64;
  int per_class = 0;  // photographs of one class in a batch; 0: whatever the order brings
  // Above 0: groups of a query, one photograph near it and this many far from it, by position (gps_sampler.h).
  int negatives = 0;
  // Edges of the groups of height / width, ascending, and the size of each of the edges.size() + 1 groups. No edges and
  // one size: everything is squashed.
  std::vector<double> edges = {};
  std::vector<Size> sizes = std::vector<Size>(1);
  int64_t batches = 0;  // of an epoch; 0: as many as the photographs fill

  static absl::StatusOr<SamplerConfig> Parse(model::Fields& fields);
  nlohmann::json ToJson() const;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_SAMPLER_CONFIG_H_
