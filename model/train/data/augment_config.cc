#include "model/train/data/augment_config.h"

#include <array>

#include "base/status.h"

namespace sightline::train {
namespace {

struct Member {
  const char* name;
  double AugmentConfig::*value;
  double least;
  double most;
};

constexpr std::array<Member, 17> kMembers = {{
    {"crop_area", &AugmentConfig::crop_area, 0.01, 1},
    {"crop_stretch", &AugmentConfig::crop_stretch, 1, 4},
    {"scale_per_axis", &AugmentConfig::scale_per_axis, 0, 0.9},
    // From 0.25 on three corners can come to lie on one line, and the warp has no inverse.
    {"perspective", &AugmentConfig::perspective, 0, 0.24},
    {"rotate", &AugmentConfig::rotate, 0, 180},
    {"flip", &AugmentConfig::flip, 0, 1},
    {"brightness", &AugmentConfig::brightness, 0, 1},
    {"contrast", &AugmentConfig::contrast, 0, 1},
    {"saturation", &AugmentConfig::saturation, 0, 1},
    {"hue", &AugmentConfig::hue, 0, 0.5},
    {"gamma", &AugmentConfig::gamma, 0, 4},
    {"grey", &AugmentConfig::grey, 0, 1},
    {"blur", &AugmentConfig::blur, 0, 8},
    {"noise", &AugmentConfig::noise, 0, 128},
    {"jpeg", &AugmentConfig::jpeg, 0, 1},
    {"erase", &AugmentConfig::erase, 0, 1},
    {"erase_area", &AugmentConfig::erase_area, 0.01, 0.9},
}};

}  // namespace

absl::StatusOr<AugmentConfig> AugmentConfig::Parse(model::Fields& fields) {
  AugmentConfig config;
  for (const Member& member : kMembers) {
    double& value = config.*member.value;
    value = fields.Number(member.name, member.least, member.most, value);
  }
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

nlohmann::json AugmentConfig::ToJson() const {
  nlohmann::json json = nlohmann::json::object();
  for (const Member& member : kMembers) json[member.name] = this->*member.value;
  return json;
}

}  // namespace sightline::train
