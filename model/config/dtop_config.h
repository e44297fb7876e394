// The head of DToP (deep token pooling, arXiv 2210.11909) in model.json. Defaults are the paper's; "global", "local"
// and "elm" switch its parts off, as in its ablation. Without both branches it is the paper's base: the class token.
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
#ifndef SIGHTLINE_MODEL_CONFIG_DTOP_CONFIG_H_
#define SIGHTLINE_MODEL_CONFIG_DTOP_CONFIG_H_

#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config/facts.h"
#include "model/config/fields.h"

namespace sightline::model {

enum class Fuse { kSum, kFastNorm, kSoftmax };

struct DtopConfig {
  static constexpr absl::string_view kType = "dtop";
  int layers = 6;  // k, the last k encoder layers are pooled
  int dim = 1536;  // N, the descriptor's size
  // Members of the parts that are off are neither read nor written.
  bool global = true;  // the branch of the class tokens
  bool local = true;   // the branch of the patch tokens
  bool elm = true;     // the enhanced locality module and FUSE in the local branch
  Fuse fuse = Fuse::kFastNorm;
  int expand = 2;      // t of the inverted residual bottleneck
  int aspp_dim = 256;  // width of each ASPP branch

  static absl::StatusOr<DtopConfig> Parse(Fields& fields);
  nlohmann::json ToJson() const;
  bool base() const { return !global && !local; }
  bool locality() const { return local && elm; }
  HeadFacts facts() const;
  int descriptor_dim(const BackboneFacts& backbone) const { return base() ? backbone.dim : dim; }
  int64_t parameters(const BackboneFacts& backbone) const;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_DTOP_CONFIG_H_
