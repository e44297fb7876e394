#include "model/calibration/calibration.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/weights/strict_json.h"

namespace sightline::model {
namespace {

using nlohmann::json;

constexpr int64_t kFormat = 1;
constexpr int64_t kMostImages = 1'000'000;
constexpr size_t kMaxNameBytes = 256;
// Scales beyond these belong to inputs that no network has, and their reciprocals stay far from infinity.
constexpr double kLeastScale = 1e-12;
constexpr double kLargestScale = 1e12;

absl::Status Invalid(absl::string_view problem) {
  return base::InvalidArgument(
      "INVALID_CALIBRATION",
      absl::StrCat("calibration.json: ", problem, ". Make it again with `sightline-train calibrate`."));
}

// OK if `object` is an object with exactly these members.
absl::Status CheckMembers(const json& object, absl::string_view what, const std::set<std::string>& names) {
  if (!object.is_object()) return Invalid(absl::StrCat(what, " must be an object"));
  for (const auto& [key, value] : object.items()) {
    if (!names.contains(key)) return Invalid(absl::StrCat(what, " holds ", weights::Quoted(key), ", which is unknown"));
  }
  for (const std::string& name : names) {
    if (!object.contains(name)) return Invalid(absl::StrCat(what, " lacks \"", name, "\""));
  }
  return absl::OkStatus();
}

bool IsWhole(const json& value, int64_t least, int64_t most) {
  return value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX) &&
         value.get<int64_t>() >= least && value.get<int64_t>() <= most;
}

bool IsSpace(const json& value) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

absl::StatusOr<InputScale> ParseScale(const std::string& name, const json& value) {
  const std::string what = absl::StrCat("the input ", weights::Quoted(name));
  if (name.empty() || name.size() > kMaxNameBytes) {
    return Invalid(absl::StrCat(what, " has a name of ", name.size(), " bytes; it must have 1 to ", kMaxNameBytes));
  }
  SIGHTLINE_RETURN_IF_ERROR(CheckMembers(value, what, {"scale", "signed"}));
  const json& scale = value["scale"];
  if (!scale.is_number() || !(scale.get<double>() >= kLeastScale && scale.get<double>() <= kLargestScale)) {
    return Invalid(absl::StrCat(what, " has the scale ", weights::Quoted(scale.dump()), "; it must be a number from ",
                                kLeastScale, " to ", kLargestScale));
  }
  if (!value["signed"].is_boolean()) return Invalid(absl::StrCat(what, " must say true or false for \"signed\""));
  return InputScale{static_cast<float>(scale.get<double>()), value["signed"].get<bool>()};
}

}  // namespace

absl::StatusOr<Calibration> ParseCalibration(absl::string_view text) {
  SIGHTLINE_ASSIGN_OR_RETURN(const json file,
                             weights::ParseStrictJson(text, "calibration.json", {.max_bytes = kMaxCalibrationBytes}));
  SIGHTLINE_RETURN_IF_ERROR(CheckMembers(file, "the file", {"format", "embedding_space", "images", "inputs"}));
  if (!IsWhole(file["format"], kFormat, kFormat)) return Invalid(absl::StrCat("\"format\" must be ", kFormat));
  if (!IsSpace(file["embedding_space"])) return Invalid("\"embedding_space\" must be 64 lower-case hex digits");
  if (!IsWhole(file["images"], 1, kMostImages)) {
    return Invalid(absl::StrCat("\"images\" must be a whole number from 1 to ", kMostImages));
  }
  const json& inputs = file["inputs"];
  if (!inputs.is_object()) return Invalid("\"inputs\" must be an object");
  if (inputs.size() > static_cast<size_t>(kMaxCalibratedInputs)) {
    return Invalid(absl::StrCat("\"inputs\" has ", inputs.size(), " members; the limit is ", kMaxCalibratedInputs));
  }
  Calibration calibration;
  calibration.embedding_space = file["embedding_space"].get<std::string>();
  calibration.images = file["images"].get<int64_t>();
  for (const auto& [name, value] : inputs.items()) {
    SIGHTLINE_ASSIGN_OR_RETURN(calibration.inputs[name], ParseScale(name, value));
  }
  return calibration;
}

std::string CalibrationText(const Calibration& calibration) {
  json inputs = json::object();
  for (const auto& [name, input] : calibration.inputs) {
    inputs[name] = {{"scale", input.scale}, {"signed", input.is_signed}};
  }
  const json file = {{"format", kFormat},
                     {"embedding_space", calibration.embedding_space},
                     {"images", calibration.images},
                     {"inputs", std::move(inputs)}};
  return file.dump(1) + "\n";
}

}  // namespace sightline::model
