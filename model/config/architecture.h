// What model.json says about a model's architecture: a backbone and a head. Each kind is a struct in a file of its own,
// with the name that "type" gives it; a new kind is a line in the variants here and one in registry.cc.
//
// The canonical JSON decides a model's embedding space: a member that is added to a kind later is written only where it
// differs from what held before it existed, so that spaces stay what they are.
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
//
//   auto backbone = ParseBackbone(json["backbone"]);
//   const nlohmann::json canonical = ToJson(*backbone);  // every default spelt out
#ifndef SIGHTLINE_MODEL_CONFIG_ARCHITECTURE_H_
#define SIGHTLINE_MODEL_CONFIG_ARCHITECTURE_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config/cvt_config.h"
#include "model/config/dolg_config.h"
#include "model/config/dtop_config.h"
#include "model/config/facts.h"
#include "model/config/glam_config.h"
#include "model/config/netvlad_config.h"
#include "model/config/pool_config.h"
#include "model/config/resnet_config.h"
#include "model/config/swin_config.h"
#include "model/config/token_config.h"
#include "model/config/vgg_config.h"
#include "model/config/vit_config.h"

namespace sightline::model {

// A backbone kind has kType, Parse, ToJson, facts and parameters; a head kind kType, Parse, ToJson, facts,
// descriptor_dim and parameters, the last two given the backbone's facts.
using BackboneConfig = std::variant<  //
    VitConfig,                        //
    HybridVitConfig,                  //
    ResnetConfig,                     //
    VggConfig,                        //
    SwinConfig,                       //
    CvtConfig>;
using HeadConfig = std::variant<  //
    DtopConfig,                   //
    GapConfig,                    //
    SpocConfig,                   //
    MacConfig,                    //
    CrowConfig,                   //
    RmacConfig,                   //
    GemConfig,                    //
    DelgConfig,                   //
    SolarConfig,                  //
    ClsConfig,                    //
    IrtConfig,                    //
    LinearConfig,                 //
    DimlConfig,                   //
    GlamConfig,                   //
    NetvladConfig,                //
    DolgConfig>;

// The step behind the head and the merging of scales: v = P (x - m), then L2. Both are tensors of the weights file.
struct WhiteningConfig {
  int dim = 0;  // d, at most the head's
};

absl::StatusOr<BackboneConfig> ParseBackbone(const nlohmann::json& json);
absl::StatusOr<HeadConfig> ParseHead(const nlohmann::json& json);
// Whether the head can work on the backbone.
absl::Status CheckTogether(const BackboneConfig& backbone, const HeadConfig& head);

nlohmann::json ToJson(const BackboneConfig& config);
nlohmann::json ToJson(const HeadConfig& config);

BackboneFacts Facts(const BackboneConfig& config);
HeadFacts Facts(const HeadConfig& config);
// "hybrid_vit", "dtop" and so on.
absl::string_view TypeName(const BackboneConfig& config);
absl::string_view TypeName(const HeadConfig& config);
int DescriptorDim(const BackboneConfig& backbone, const HeadConfig& head);

// All learned values.
int64_t CountParameters(const BackboneConfig& config);
int64_t CountParameters(const BackboneConfig& backbone, const HeadConfig& head);  // of the head alone

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_ARCHITECTURE_H_
