// Heads that read the class token, or share one linear map between the image and its patches: "cls", "irt", "linear",
// "diml".
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
#ifndef SIGHTLINE_MODEL_CONFIG_TOKEN_CONFIG_H_
#define SIGHTLINE_MODEL_CONFIG_TOKEN_CONFIG_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config/facts.h"
#include "model/config/fc_config.h"
#include "model/config/fields.h"

namespace sightline::model {

// The class token of the last layer after the final norm, and a linear map if "fc" is there.
struct ClassTokenConfig {
  std::optional<FcConfig> fc = std::nullopt;

  static absl::StatusOr<ClassTokenConfig> ParseClassToken(Fields& fields);
  nlohmann::json ToJson() const;
  HeadFacts facts() const { return {.layers = 1, .class_token = true}; }
  int descriptor_dim(const BackboneFacts& backbone) const { return FcDim(fc, backbone.dim); }
  int64_t parameters(const BackboneFacts& backbone) const { return FcParameters(fc, backbone.dim); }
};

struct ClsConfig : ClassTokenConfig {
  static constexpr absl::string_view kType = "cls";
  static absl::StatusOr<ClsConfig> Parse(Fields& fields);
};

// Image retrieval transformers (METHODS 4.10): the same numbers as "cls"; its method is in its loss.
struct IrtConfig : ClassTokenConfig {
  static constexpr absl::string_view kType = "irt";
  static absl::StatusOr<IrtConfig> Parse(Fields& fields);
};

// One linear map C -> dim for the class token (or the mean of the map) and for every patch (METHODS 3.1). DIML's is a
// 1x1 convolution over the map of a ResNet-50, whose mean is the global vector (METHODS 4.1): the mean of a linear map
// is the linear map of the mean.
struct SharedMapConfig {
  int dim = 128;

  static absl::StatusOr<SharedMapConfig> ParseSharedMap(Fields& fields);
  nlohmann::json ToJson() const { return {{"dim", dim}}; }
  HeadFacts facts() const { return {.token_dim = dim}; }
  int descriptor_dim(const BackboneFacts&) const { return dim; }
  int64_t parameters(const BackboneFacts& backbone) const;
};

struct LinearConfig : SharedMapConfig {
  static constexpr absl::string_view kType = "linear";
  static absl::StatusOr<LinearConfig> Parse(Fields& fields);
};

struct DimlConfig : SharedMapConfig {
  static constexpr absl::string_view kType = "diml";
  static absl::StatusOr<DimlConfig> Parse(Fields& fields);
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_TOKEN_CONFIG_H_
