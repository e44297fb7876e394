// What model.json says about a model's architecture: a backbone and a head. Defaults are those of ViT-B/16 and DToP.
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
//
//   auto backbone = ParseBackbone(json["backbone"]);
//   const nlohmann::json canonical = ToJson(*backbone);  // every default spelt out
#ifndef SIGHTLINE_MODEL_CONFIG_ARCHITECTURE_H_
#define SIGHTLINE_MODEL_CONFIG_ARCHITECTURE_H_

#include <nlohmann/json.hpp>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::model {

// The transformer of every ViT: pre-norm blocks over a class token and a grid of patch tokens.
struct EncoderConfig {
  int dim = 768;   // D, token width; a multiple of heads
  int depth = 12;  // L, blocks
  int heads = 12;
  int mlp_ratio = 4;  // hidden width of the MLP / D
  int grid = 14;      // g: the learned position embedding has g x g cells
};

// Plain ViT: patches of `patch` x `patch` pixels, one linear map each.
struct VitConfig {
  EncoderConfig encoder;
  int patch = 16;
};

// Convolutional stages with post-activation bottlenecks, standardised weights and group norm.
struct StageConfig {
  int blocks = 1;
  int channels = 256;  // out; the bottleneck is a quarter as wide
  int stride = 1;      // of the first block
};

struct HybridVitConfig {
  EncoderConfig encoder;
  int stem_channels = 64;  // of the 7x7 convolution with stride 2, before a max pool with stride 2
  int groups = 32;         // of every group norm
  std::vector<StageConfig> stages = {};
  // How many pixels one token spans: 4 times the strides of all stages.
  int stride() const;
};

using BackboneConfig = std::variant<VitConfig, HybridVitConfig>;

enum class Fuse { kSum, kFastNorm, kSoftmax };

// DToP (deep token pooling).
struct DtopConfig {
  int layers = 6;  // k, the last k encoder layers are pooled
  int dim = 1536;  // N, the descriptor's size
  Fuse fuse = Fuse::kFastNorm;
  int expand = 2;      // t of the inverted residual bottleneck
  int aspp_dim = 256;  // width of each ASPP branch
};

using HeadConfig = std::variant<DtopConfig>;

absl::StatusOr<BackboneConfig> ParseBackbone(const nlohmann::json& json);
absl::StatusOr<HeadConfig> ParseHead(const nlohmann::json& json);

nlohmann::json ToJson(const BackboneConfig& config);
nlohmann::json ToJson(const HeadConfig& config);

const EncoderConfig& Encoder(const BackboneConfig& config);
// Pixels of an image's side per token.
int TokenStride(const BackboneConfig& config);
// "hybrid_vit", "dtop" and so on.
absl::string_view TypeName(const BackboneConfig& config);
absl::string_view TypeName(const HeadConfig& config);
int DescriptorDim(const HeadConfig& config);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_ARCHITECTURE_H_
