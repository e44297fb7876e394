// Vision transformers in model.json: plain ViT and the hybrid with convolutional stages. Defaults are ViT-B/16's; with
// other values they are DeiT, distilled DeiT, DINOv2 with and without registers, and DToP's ablations.
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

// Where patch tokens learn where they are.
enum class Position {
  kBilinear,  // a learned grid, resized bilinearly to the token grid: DToP's choice
  kBicubic,   // the same, resized by bicubic convolution (a = -0.75, no antialiasing): DINOv2's choice
  kCpe,       // conditional position encoding: a depthwise 3x3 convolution behind the first block
  kNone,
};

// Which tokens have a row in the learned position embedding beside the patches.
enum class PositionScope {
  kAll,      // class, distillation and register tokens
  kClass,    // class and distillation token: DINOv2 with registers as it was published
  kPatches,  // none: DINOv2 with registers in timm
};

// The transformer of every ViT: pre-norm blocks over a class token, further tokens of no place, and a grid of patches.
struct EncoderConfig {
  int dim = 768;   // D, token width; a multiple of heads
  int depth = 12;  // L, blocks
  int heads = 12;
  int mlp_ratio = 4;  // hidden width of the MLP / D
  int grid = 14;      // g: the learned position embedding has g x g cells; unused and not written without one
  // Everything below is written only where it differs from these values, which held before it existed.
  int registers = 0;       // learned tokens behind the class token
  bool distilled = false;  // a distillation token behind the class token, before any register
  bool layer_scale = false;
  bool qkv_bias = true;
  double norm_epsilon = 1e-6;
  Position position = Position::kBilinear;
  PositionScope position_rows = PositionScope::kAll;

  // Tokens in front of the grid, and how many of them have a row in the position embedding.
  int prefix() const { return 1 + (distilled ? 1 : 0) + registers; }
  int position_prefix() const;
  bool learned_grid() const { return position == Position::kBilinear || position == Position::kBicubic; }
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
  // Whether a linear map of patches, as a plain ViT's, is added to the stem's map. With it a hybrid can start from the
  // weights of a plain ViT and learn what the stem adds. DToP's hybrid has none; written only where it is true.
  bool linear_patches = false;

  // The side of a token's square, pixels: the stem's stride.
  int stride() const;

  static absl::StatusOr<HybridVitConfig> Parse(Fields& fields);
  nlohmann::json ToJson() const;
  BackboneFacts facts() const;
  int64_t parameters() const;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_VIT_CONFIG_H_
