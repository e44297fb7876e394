#include "model/config/architecture.h"

#include <array>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/config/fields.h"

namespace sightline::model {
namespace {

using nlohmann::json;

template <typename Variant>
struct Kinds;

template <typename... Kind>
struct Kinds<std::variant<Kind...>> {
  static constexpr std::array<absl::string_view, sizeof...(Kind)> kNames = {Kind::kType...};

  static absl::StatusOr<std::variant<Kind...>> Parse(const json& value, absl::string_view path) {
    Fields fields(value, path);
    const auto type = static_cast<size_t>(fields.OneOf("type", kNames));
    using Reader = absl::StatusOr<std::variant<Kind...>> (*)(Fields&);
    constexpr std::array<Reader, sizeof...(Kind)> kReaders = {&Read<Kind>...};
    return kReaders[type](fields);
  }

 private:
  template <typename One>
  static absl::StatusOr<std::variant<Kind...>> Read(Fields& fields) {
    SIGHTLINE_ASSIGN_OR_RETURN(One config, One::Parse(fields));
    return config;
  }
};

template <typename Variant>
json TypedJson(const Variant& config) {
  json result = std::visit([](const auto& one) { return one.ToJson(); }, config);
  result["type"] = std::string(TypeName(config));
  return result;
}

}  // namespace

absl::StatusOr<BackboneConfig> ParseBackbone(const json& value) {
  return Kinds<BackboneConfig>::Parse(value, "backbone");
}

absl::StatusOr<HeadConfig> ParseHead(const json& value) { return Kinds<HeadConfig>::Parse(value, "head"); }

absl::Status CheckTogether(const BackboneConfig& backbone, const HeadConfig& head) {
  const BackboneFacts facts = Facts(backbone);
  const HeadFacts needs = Facts(head);
  std::string problem;
  if (needs.class_token && !facts.class_token) {
    problem = absl::StrCat("the head ", TypeName(head), " needs a class token; the backbone ", TypeName(backbone),
                           " has none. Use a backbone that has one, or another head.");
  } else if (needs.layers > facts.layers) {
    problem = absl::StrCat("head.layers is ", needs.layers, "; the backbone has ", facts.layers,
                           " blocks. Pool at most as many layers as there are.");
  } else if (needs.maps > static_cast<int>(facts.maps.size())) {
    problem = absl::StrCat("the head ", TypeName(head), " reads the last ", needs.maps, " maps; the backbone ",
                           TypeName(backbone), " gives ", facts.maps.size(),
                           ". Use a convolutional backbone with that many stages, or another head.");
  }
  if (problem.empty()) return absl::OkStatus();
  return base::InvalidArgument("INVALID_MODEL_CONFIG", absl::StrCat("model.json: ", problem));
}

json ToJson(const BackboneConfig& config) { return TypedJson(config); }
json ToJson(const HeadConfig& config) { return TypedJson(config); }

BackboneFacts Facts(const BackboneConfig& config) {
  return std::visit([](const auto& one) { return one.facts(); }, config);
}

HeadFacts Facts(const HeadConfig& config) {
  return std::visit([](const auto& one) { return one.facts(); }, config);
}

absl::string_view TypeName(const BackboneConfig& config) { return Kinds<BackboneConfig>::kNames[config.index()]; }
absl::string_view TypeName(const HeadConfig& config) { return Kinds<HeadConfig>::kNames[config.index()]; }

int DescriptorDim(const BackboneConfig& backbone, const HeadConfig& head) {
  return std::visit([&](const auto& one) { return one.descriptor_dim(Facts(backbone)); }, head);
}

int64_t CountParameters(const BackboneConfig& config) {
  return std::visit([](const auto& one) { return one.parameters(); }, config);
}

int64_t CountParameters(const BackboneConfig& backbone, const HeadConfig& head) {
  return std::visit([&](const auto& one) { return one.parameters(Facts(backbone)); }, head);
}

}  // namespace sightline::model
