// Vision transformers in model.json: plain ViT and the hybrid with convolutional stages. Defaults are ViT-B/16's.
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
#ifndef SIGHTLINE_MODEL_CONFIG_VIT_CONFIG_H_
#define SIGHTLINE_MODEL_CONFIG_VIT_CONFIG_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config/facts.h"
#include "model/config/fields.h"

namespace sightline::model {

// The transformer of every ViT: pre-norm blocks over a class token and a grid of patch tokens.
struct EncoderConfig {
  int dim = 768;   // D, token width; a multiple of heads
  int depth = 12;  // L, blocks
  int heads = 12;
  int mlp_ratio = 4;  // hidden width of the MLP / D
  int grid = 14;      // g: the learned position embedding has g x g cells

  int64_t parameters() const;
};

// Plain ViT: patches of `patch` x `patch` pixels, one linear map each.
struct VitConfig {
  static constexpr absl::string_view kType = "vit";
  EncoderConfig encoder;
  int patch = 16;

  static absl::StatusOr<VitConfig> Parse(Fields& fields);
  nlohmann::json ToJson() const;
  BackboneFacts facts() const;
  int64_t parameters() const;
};

// Convolutional stages with post-activation bottlenecks, standardised weights and group norm.
struct StageConfig {
  int blocks = 1;
  int channels = 256;  // out; the bottleneck is a quarter as wide
  int stride = 1;      // of the first block
};

// Convolutional stages whose map positions are the tokens of a ViT.
struct HybridVitConfig {
  static constexpr absl::string_view kType = "hybrid_vit";
  EncoderConfig encoder;
  int stem_channels = 64;  // of the 7x7 convolution with stride 2, before a max pool with stride 2
  int groups = 32;         // of every group norm
  std::vector<StageConfig> stages = {};

  static absl::StatusOr<HybridVitConfig> Parse(Fields& fields);
  nlohmann::json ToJson() const;
  BackboneFacts facts() const;
  int64_t parameters() const;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_VIT_CONFIG_H_
