#include "model/weights/safetensors.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/weights/strict_json.h"

namespace sightline::weights {
namespace {

using nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr absl::string_view kMetadataKey = "__metadata__";

absl::Status Malformed(absl::string_view problem) {
  return base::InvalidArgument("MALFORMED_WEIGHTS",
                               absl::StrCat("the weights file ", problem, ". Export or download it again."));
}

absl::Status MalformedTensor(absl::string_view name, absl::string_view problem) {
  return Malformed(absl::StrCat("describes tensor ", Quoted(name), " wrongly: ", problem));
}

std::optional<DType> ParseDType(absl::string_view name) {
  for (const DType dtype : kDTypes) {
    if (name == DTypeName(dtype)) return dtype;
  }
  return std::nullopt;
}

// A whole number in [0, 2^62]; JSON numbers of any other kind are refused.
std::optional<int64_t> WholeNumber(const json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  const auto number = value.get<uint64_t>();
  if (number > (uint64_t{1} << 62)) return std::nullopt;
  return static_cast<int64_t>(number);
}

struct Range {
  int64_t begin = 0;
  int64_t end = 0;
  size_t tensor = 0;
};

absl::StatusOr<TensorView> ParseTensor(const std::string& name, const json& entry, const SafetensorsLimits& limits,
                                       int64_t data_bytes, Range& range) {
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets")) {
    return MalformedTensor(name, "its entry must hold dtype, shape and data_offsets and nothing else");
  }
  const json& dtype = entry["dtype"];
  const json& shape = entry["shape"];
  const json& offsets = entry["data_offsets"];

  TensorView tensor;
  tensor.name = name;
  if (!dtype.is_string()) return MalformedTensor(name, "dtype is not a string");
  const std::optional<DType> parsed = ParseDType(dtype.get_ref<const std::string&>());
  if (!parsed) {
    return MalformedTensor(name, absl::StrCat("dtype is ", Quoted(dtype.get_ref<const std::string&>()),
                                              "; F64, F32, F16, BF16, integers of up to 64 bits and BOOL are read"));
  }
  tensor.dtype = *parsed;

  if (!shape.is_array() || shape.size() > static_cast<size_t>(limits.max_dimensions)) {
    return MalformedTensor(name, absl::StrCat("shape is not a list of at most ", limits.max_dimensions, " numbers"));
  }
  int64_t bytes = DTypeBytes(tensor.dtype);
  for (const json& side : shape) {
    const std::optional<int64_t> length = WholeNumber(side);
    if (!length || __builtin_mul_overflow(bytes, *length, &bytes)) {
      return MalformedTensor(name, "shape holds something else than lengths of a tensor that fits into memory");
    }
    tensor.shape.push_back(*length);
  }

  if (!offsets.is_array() || offsets.size() != 2) return MalformedTensor(name, "data_offsets is not a pair");
  const std::optional<int64_t> begin = WholeNumber(offsets[0]);
  const std::optional<int64_t> end = WholeNumber(offsets[1]);
  if (!begin || !end || *begin > *end || *end > data_bytes) {
    return MalformedTensor(name, absl::StrCat("data_offsets do not lie within the ", data_bytes, " bytes of values"));
  }
  if (*end - *begin != bytes) {
    return MalformedTensor(name,
                           absl::StrCat("dtype and shape need ", bytes, " bytes, data_offsets span ", *end - *begin));
  }
  range.begin = *begin;
  range.end = *end;
  return tensor;
}

absl::StatusOr<std::map<std::string, std::string>> ParseMetadata(const json& entry) {
  if (!entry.is_object()) return Malformed("has __metadata__ that is not an object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) return Malformed(absl::StrCat("has __metadata__ whose ", Quoted(key), " is not a string"));
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

// The ranges must follow each other from the first byte to the last.
absl::Status CheckCoverage(std::vector<Range> ranges, const std::vector<TensorView>& tensors, int64_t data_bytes) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  int64_t covered = 0;
  for (const Range& range : ranges) {
    if (range.begin != covered) {
      return MalformedTensor(tensors[range.tensor].name, absl::StrCat("its values begin at byte ", range.begin,
                                                                      ", the ones before end at ", covered));
    }
    covered = range.end;
  }
  if (covered != data_bytes) {
    return Malformed(absl::StrCat("has ", data_bytes, " bytes of values; its tensors cover ", covered));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Safetensors> ParseSafetensors(absl::string_view file, const SafetensorsLimits& limits) {
  if (file.size() < kLengthBytes) {
    return Malformed(absl::StrCat("has ", file.size(), " bytes; its header length alone takes ", kLengthBytes));
  }
  uint64_t header_bytes = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) header_bytes |= uint64_t{static_cast<unsigned char>(file[i])} << (8 * i);
  if (header_bytes > static_cast<uint64_t>(limits.max_header_bytes)) {
    return Malformed(
        absl::StrCat("claims a header of ", header_bytes, " bytes; the limit is ", limits.max_header_bytes));
  }
  if (header_bytes > file.size() - kLengthBytes) {
    return Malformed(absl::StrCat("claims a header of ", header_bytes, " bytes but has ", file.size(), " in all"));
  }
  const absl::string_view header = file.substr(kLengthBytes, header_bytes);
  const absl::string_view data = file.substr(kLengthBytes + header_bytes);
  const auto data_bytes = static_cast<int64_t>(data.size());

  SIGHTLINE_ASSIGN_OR_RETURN(const json root, ParseStrictJson(header, "the weights file's header",
                                                              {.max_bytes = limits.max_header_bytes, .max_depth = 3}));
  if (!root.is_object()) return Malformed("has a header that is not a JSON object");
  if (static_cast<int64_t>(root.size()) > limits.max_tensors) {
    return Malformed(absl::StrCat("describes ", root.size(), " tensors; the limit is ", limits.max_tensors));
  }

  Safetensors result;
  std::vector<Range> ranges;
  for (const auto& [name, entry] : root.items()) {
    if (name == kMetadataKey) {
      SIGHTLINE_ASSIGN_OR_RETURN(result.metadata, ParseMetadata(entry));
      continue;
    }
    Range range{.tensor = result.tensors.size()};
    SIGHTLINE_ASSIGN_OR_RETURN(TensorView tensor, ParseTensor(name, entry, limits, data_bytes, range));
    tensor.bytes = data.substr(range.begin, range.end - range.begin);
    result.tensors.push_back(std::move(tensor));
    ranges.push_back(range);
  }
  SIGHTLINE_RETURN_IF_ERROR(CheckCoverage(std::move(ranges), result.tensors, data_bytes));
  return result;
}

}  // namespace sightline::weights
