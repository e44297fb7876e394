#include "client/cli/values.h"

#include <cmath>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "client/cli/json.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

absl::Status Wrong(absl::string_view flag, absl::string_view value, absl::string_view advice) {
  return base::InvalidArgument("USAGE", absl::StrCat("--", flag, " is \"", Printable(value), "\". ", advice),
                               {{"argument", std::string(flag)}});
}

absl::StatusOr<v1::AttributeValue> ParseValue(absl::string_view flag, absl::string_view whole, absl::string_view type,
                                              absl::string_view text) {
  v1::AttributeValue value;
  int64_t number = 0;
  double real = 0;
  bool truth = false;
  if (type == "string") {
    value.set_string_value(std::string(text));
  } else if (type == "int64" && absl::SimpleAtoi(text, &number)) {
    value.set_int64_value(number);
  } else if (type == "double" && absl::SimpleAtod(text, &real) && std::isfinite(real)) {
    value.set_double_value(real);
  } else if (type == "bool" && absl::SimpleAtob(text, &truth)) {
    value.set_bool_value(truth);
  } else if (type == "list") {
    auto& list = *value.mutable_string_list();
    for (const absl::string_view part : absl::StrSplit(text, ',')) list.add_values(std::string(part));
  } else {
    return Wrong(flag, whole,
                 "Write key=text, or key:type=value where the type is string, int64, double, bool or list.");
  }
  return value;
}

}  // namespace

absl::StatusOr<CropArgument> ParseCrop(absl::string_view flag, absl::string_view text, absl::string_view unit) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  CropArgument crop;
  double* const numbers[] = {&crop.x0, &crop.y0, &crop.x1, &crop.y1};
  bool good = parts.size() == std::size(numbers);
  bool above_one = false;
  for (size_t i = 0; good && i < parts.size(); ++i) {
    good = absl::SimpleAtod(parts[i], numbers[i]) && std::isfinite(*numbers[i]);
    above_one = above_one || *numbers[i] > 1;
  }
  if (!good || crop.x0 >= crop.x1 || crop.y0 >= crop.y1) {
    return Wrong(flag, text, "Write left, top, right and bottom edge as four numbers, such as 120,80,400,360.");
  }
  if (unit != "" && unit != "fraction" && unit != "pixel") {
    return Wrong("crop_unit", unit, "It is fraction or pixel.");
  }
  const bool pixels = unit == "pixel" || (unit.empty() && above_one);
  crop.unit = pixels ? v1::CropBox::UNIT_PIXEL : v1::CropBox::UNIT_FRACTION;
  return crop;
}

absl::StatusOr<AttributeMap> ParseAttributes(const std::vector<std::string>& arguments, absl::string_view flag) {
  AttributeMap attributes;
  for (const std::string& argument : arguments) {
    const std::vector<absl::string_view> sides = absl::StrSplit(argument, absl::MaxSplits('=', 1));
    if (sides.size() != 2 || sides[0].empty()) return Wrong(flag, argument, "Write key=value.");
    const std::vector<absl::string_view> key = absl::StrSplit(sides[0], absl::MaxSplits(':', 1));
    SIGHTLINE_ASSIGN_OR_RETURN(attributes[std::string(key[0])],
                               ParseValue(flag, argument, key.size() == 2 ? key[1] : "string", sides[1]));
  }
  return attributes;
}

std::string ValueText(const v1::AttributeValue& value) {
  switch (value.kind_case()) {
    case v1::AttributeValue::kStringValue: return value.string_value();
    case v1::AttributeValue::kInt64Value: return absl::StrCat(value.int64_value());
    case v1::AttributeValue::kDoubleValue: return JsonNumber(value.double_value());
    case v1::AttributeValue::kBoolValue: return value.bool_value() ? "true" : "false";
    case v1::AttributeValue::kStringList: return absl::StrJoin(value.string_list().values(), ",");
    case v1::AttributeValue::KIND_NOT_SET: break;
  }
  return "";
}

std::string AttributesText(const AttributeMap& attributes) {
  std::map<std::string, std::string> sorted;
  for (const auto& [key, value] : attributes) sorted[key] = ValueText(value);
  return absl::StrJoin(sorted, " ", absl::PairFormatter("="));
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0 && time.nanos() == 0) return "";
  return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", absl::FromUnixSeconds(time.seconds()), absl::UTCTimeZone());
}

}  // namespace sightline::cli
