// Values: attributes, crop boxes and times as people type and read them.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT with reason USAGE and a sentence.
#ifndef SIGHTLINE_CLIENT_CLI_VALUES_H_
#define SIGHTLINE_CLIENT_CLI_VALUES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/map.h"
#include "google/protobuf/timestamp.pb.h"
#include "sightline/v1/attribute.pb.h"
#include "sightline/v1/embedding.pb.h"

namespace sightline::cli {

using AttributeMap = google::protobuf::Map<std::string, v1::AttributeValue>;

struct CropArgument {
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  v1::CropBox::Unit unit = v1::CropBox::UNIT_FRACTION;
};

// "120,80,400,360", the value of `flag`. `unit` is "fraction", "pixel" or ""; with "", a box with a number above 1 is
// in pixels.
absl::StatusOr<CropArgument> ParseCrop(absl::string_view flag, absl::string_view text, absl::string_view unit);

// "brand=acme" or with a type "price:double=9.5": string, int64, double, bool, or list ("colours:list=red,blue").
// `flag`: whose values these are.
absl::StatusOr<AttributeMap> ParseAttributes(const std::vector<std::string>& arguments,
                                             absl::string_view flag = "attribute");

// "9.5"; "red,blue" for a list.
std::string ValueText(const v1::AttributeValue& value);

// "brand=acme price=9.5", sorted by key.
std::string AttributesText(const AttributeMap& attributes);

// "2026-05-04 12:30:05Z"; empty for an unset time.
std::string TimeText(const google::protobuf::Timestamp& time);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_VALUES_H_
