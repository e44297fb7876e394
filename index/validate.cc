#include "index/validate.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/filter/filter_parser.h"

namespace sightline::index {
namespace {

using base::InvalidArgument;

constexpr size_t kMaxNameBytes = 64;
constexpr size_t kMaxDescriptionBytes = 4096;
constexpr size_t kMaxSettingBytes = 256;
constexpr size_t kMaxMimeTypeBytes = 64;
constexpr int kMaxImageSide = 1 << 20;
constexpr size_t kSha256Digits = 64;
// Importances are single precision sums over up to a thousand cells.
constexpr double kImportanceTolerance = 1e-2;

absl::Status TooLong(absl::string_view what, absl::string_view reason, size_t actual, size_t limit) {
  return InvalidArgument(reason, absl::StrCat(what, " has ", actual, " bytes; the limit is ", limit, ". Shorten it."),
                         {{"actual", absl::StrCat(actual)}, {"limit", absl::StrCat(limit)}});
}

bool HasControlCharacter(absl::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

// A name: not empty, of bounded length, printable.
absl::Status ValidateText(absl::string_view what, absl::string_view reason, absl::string_view text, size_t limit) {
  if (text.size() > limit) return TooLong(what, reason, text.size(), limit);
  if (!IsUtf8(text)) {
    return InvalidArgument(reason, absl::StrCat(what, " is not valid UTF-8. Encode it as UTF-8."));
  }
  if (HasControlCharacter(text)) {
    return InvalidArgument(reason, absl::StrCat(what, " contains a control character. Remove it."));
  }
  return absl::OkStatus();
}

constexpr float kMostFloat16 = 65'504;

bool AllFinite(absl::Span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

absl::Status ShapeError(absl::string_view what, size_t actual, size_t expected) {
  return InvalidArgument("TOKENS_INVALID",
                         absl::StrCat("patch tokens have ", actual, " ", what, "; their shape needs ", expected,
                                      ". Send height, width and dim that match the data."),
                         {{"actual", absl::StrCat(actual)}, {"expected", absl::StrCat(expected)}});
}

absl::Status ValidateTokens(const PatchTokens& tokens, const RecordLimits& limits) {
  const int64_t cells = static_cast<int64_t>(tokens.height) * tokens.width;
  if (tokens.height < 1 || tokens.width < 1 || cells > limits.max_token_cells) {
    return InvalidArgument("TOKENS_INVALID",
                           absl::StrCat("patch tokens form a grid of ", tokens.height, "x", tokens.width,
                                        "; it needs 1 to ", limits.max_token_cells, " cells. Send a smaller grid."),
                           {{"limit", absl::StrCat(limits.max_token_cells)}});
  }
  if (tokens.dim < 1 || tokens.dim > limits.max_token_dim) {
    return InvalidArgument("TOKENS_INVALID",
                           absl::StrCat("patch tokens have dimension ", tokens.dim, "; it must be 1 to ",
                                        limits.max_token_dim, ". Project them to fewer dimensions."),
                           {{"actual", absl::StrCat(tokens.dim)}, {"limit", absl::StrCat(limits.max_token_dim)}});
  }
  const size_t count = static_cast<size_t>(cells);
  const size_t dim = static_cast<size_t>(tokens.dim);
  const bool codes = tokens.precision == TokenPrecision::kInt8;
  const size_t values = codes ? tokens.values.size() : tokens.floats.size();
  const size_t scales = codes ? count : 0;
  if (values != count * dim) return ShapeError("values", values, count * dim);
  if (tokens.scales.size() != scales) return ShapeError("scales", tokens.scales.size(), scales);
  // Those of the other kind.
  const size_t foreign = codes ? tokens.floats.size() : tokens.values.size();
  if (foreign != 0) return ShapeError("values of another precision", foreign, 0);
  if (tokens.importance.size() != count) return ShapeError("importance values", tokens.importance.size(), count);
  if (tokens.centre.size() != dim) return ShapeError("centre values", tokens.centre.size(), dim);
  if (!AllFinite(tokens.scales) || !AllFinite(tokens.importance) || !AllFinite(tokens.centre) ||
      !AllFinite(tokens.floats)) {
    return InvalidArgument("TOKENS_INVALID",
                           "patch tokens contain a NaN or an infinite value. Check the model that made them.");
  }
  if (tokens.precision == TokenPrecision::kFloat16) {
    const auto beyond = std::find_if(tokens.floats.begin(), tokens.floats.end(),
                                     [](float value) { return std::abs(value) > kMostFloat16; });
    if (beyond != tokens.floats.end()) {
      return InvalidArgument("TOKENS_INVALID", absl::StrCat("patch tokens in float16 hold ", *beyond, "; the limit is ",
                                                            kMostFloat16, ". L2-normalise them."));
    }
  }
  double sum = 0;
  for (const float value : tokens.importance) {
    if (value < 0) {
      return InvalidArgument("TOKENS_INVALID",
                             absl::StrCat("importance holds ", value, "; values must be at least 0. Clamp them."));
    }
    sum += value;
  }
  if (std::abs(sum - 1) > kImportanceTolerance) {
    return InvalidArgument("TOKENS_INVALID",
                           absl::StrCat("importance sums to ", sum, "; it must sum to 1. Divide it by its sum."),
                           {{"actual", absl::StrCat(sum)}});
  }
  return absl::OkStatus();
}

// Bytes that an attribute counts towards the limit, besides its key.
size_t AttributeBytes(const AttributeValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return text->size();
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    size_t bytes = 0;
    for (const std::string& item : *list) bytes += item.size() + sizeof(uint32_t);
    return bytes;
  }
  return sizeof(int64_t);
}

absl::Status ValidateAttributeValue(const std::string& key, const AttributeValue& value) {
  const auto not_utf8 = [&key] {
    return InvalidArgument(
        "ATTRIBUTE_INVALID",
        absl::StrCat("attribute \"", key, "\" holds text that is not valid UTF-8. Encode it as UTF-8."),
        {{"key", key}});
  };
  if (const auto* number = std::get_if<double>(&value); number != nullptr && !std::isfinite(*number)) {
    return InvalidArgument(
        "ATTRIBUTE_INVALID",
        absl::StrCat("attribute \"", key, "\" is ", *number, ". Send a finite number, or leave it out."),
        {{"key", key}});
  }
  if (const auto* text = std::get_if<std::string>(&value); text != nullptr && !IsUtf8(*text)) return not_utf8();
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    for (const std::string& item : *list) {
      if (!IsUtf8(item)) return not_utf8();
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateSetting(absl::string_view field, int value, int low, int high) {
  if (value == 0 || (value >= low && value <= high)) return absl::OkStatus();
  return InvalidArgument(
      "SETTING_OUT_OF_RANGE",
      absl::StrCat(field, " is ", value, "; it must be 0 (the default) or ", low, " to ", high, ". Correct it."),
      {{"field", std::string(field)}, {"actual", absl::StrCat(value)}, {"limit", absl::StrCat(high)}});
}

}  // namespace

bool IsUtf8(absl::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto byte = [&text](size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char lead = byte(i);
    const size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (length == 0 || length > text.size() - i) return false;
    uint32_t code = length == 1 ? lead : lead & (0x7Fu >> length);
    for (size_t k = 1; k < length; ++k) {
      if (byte(i + k) >> 6 != 2) return false;
      code = code << 6 | (byte(i + k) & 0x3F);
    }
    constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < kLeast[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
    i += length;
  }
  return true;
}

absl::Status ValidateId(absl::string_view id, const RecordLimits& limits) {
  if (id.empty()) return InvalidArgument("ID_INVALID", "the id is empty. Name the image.");
  return ValidateText("the id", "ID_INVALID", id, static_cast<size_t>(limits.max_id_bytes));
}

absl::Status ValidateRequestId(absl::string_view request_id, const RecordLimits& limits) {
  return ValidateText("the request_id", "REQUEST_ID_INVALID", request_id,
                      static_cast<size_t>(limits.max_request_id_bytes));
}

absl::Status ValidateAttributes(const Attributes& attributes, const RecordLimits& limits) {
  if (attributes.size() > static_cast<size_t>(limits.max_attributes)) {
    return InvalidArgument(
        "TOO_MANY_ATTRIBUTES",
        absl::StrCat("there are ", attributes.size(), " attributes; the limit is ", limits.max_attributes,
                     ". Leave some out."),
        {{"actual", absl::StrCat(attributes.size())}, {"limit", absl::StrCat(limits.max_attributes)}});
  }
  size_t bytes = 0;
  for (const auto& [key, value] : attributes) {
    if (key.empty()) return InvalidArgument("ATTRIBUTE_INVALID", "an attribute has an empty key. Name it.");
    SIGHTLINE_RETURN_IF_ERROR(
        ValidateText(absl::StrCat("the attribute key \"", absl::string_view(key).substr(0, 64), "\""),
                     "ATTRIBUTE_INVALID", key, static_cast<size_t>(limits.max_key_bytes)));
    // Filters name attributes without quotes.
    if (!IsAttributeKey(key)) {
      return InvalidArgument("ATTRIBUTE_INVALID",
                             absl::StrCat("the attribute key \"", key,
                                          "\" has a character that keys cannot have; they start with a letter and hold "
                                          "letters, digits, '_', '-' and '.'. Rename it."),
                             {{"key", key}});
    }
    SIGHTLINE_RETURN_IF_ERROR(ValidateAttributeValue(key, value));
    bytes += key.size() + AttributeBytes(value);
  }
  if (bytes > static_cast<size_t>(limits.max_attribute_bytes)) {
    return TooLong("the set of attributes", "ATTRIBUTES_TOO_LARGE", bytes,
                   static_cast<size_t>(limits.max_attribute_bytes));
  }
  return absl::OkStatus();
}

absl::Status ValidateRecord(const Record& record, const RecordLimits& limits, bool allow_empty_id) {
  if (!record.id.empty() || !allow_empty_id) SIGHTLINE_RETURN_IF_ERROR(ValidateId(record.id, limits));
  SIGHTLINE_RETURN_IF_ERROR(ValidateAttributes(record.attributes, limits));
  SIGHTLINE_RETURN_IF_ERROR(ValidateText("source_uri", "SOURCE_URI_INVALID", record.source_uri,
                                         static_cast<size_t>(limits.max_source_uri_bytes)));
  SIGHTLINE_RETURN_IF_ERROR(
      ValidateText("the image's MIME type", "IMAGE_INVALID", record.image_mime_type, kMaxMimeTypeBytes));
  if (record.image.size() > static_cast<size_t>(limits.max_image_bytes)) {
    return TooLong("the image to keep", "IMAGE_INVALID", record.image.size(),
                   static_cast<size_t>(limits.max_image_bytes));
  }
  if (record.width < 0 || record.height < 0 || record.width > kMaxImageSide || record.height > kMaxImageSide) {
    return InvalidArgument("IMAGE_INVALID", absl::StrCat("the image is said to be ", record.width, "x", record.height,
                                                         "; a side is 0 to ", kMaxImageSide, ". Send its real size."));
  }
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (!record.sha256.empty() &&
      (record.sha256.size() != kSha256Digits || !std::all_of(record.sha256.begin(), record.sha256.end(), is_digit))) {
    return InvalidArgument("SHA256_INVALID", absl::StrCat("sha256 has ", record.sha256.size(),
                                                          " characters; it is 64 lower-case hex digits. Correct it."));
  }
  if (record.descriptor.size() > static_cast<size_t>(limits.max_descriptor_dim)) {
    return InvalidArgument(
        "DESCRIPTOR_INVALID",
        absl::StrCat("the descriptor has ", record.descriptor.size(), " values; the limit is ",
                     limits.max_descriptor_dim, ". Use a smaller model."),
        {{"actual", absl::StrCat(record.descriptor.size())}, {"limit", absl::StrCat(limits.max_descriptor_dim)}});
  }
  if (!record.descriptor.empty()) {
    SIGHTLINE_RETURN_IF_ERROR(
        NormalizeDescriptor(record.descriptor, static_cast<int>(record.descriptor.size())).status());
  }
  if (record.tokens) SIGHTLINE_RETURN_IF_ERROR(ValidateTokens(*record.tokens, limits));
  return absl::OkStatus();
}

absl::Status ValidateCollectionName(const std::string& name) {
  const auto allowed = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_'; };
  if (name.empty() || name.size() > kMaxNameBytes) {
    return InvalidArgument("COLLECTION_NAME_INVALID",
                           absl::StrCat("the collection name has ", name.size(), " characters; it must have 1 to ",
                                        kMaxNameBytes, ". Choose another."),
                           {{"actual", absl::StrCat(name.size())}, {"limit", absl::StrCat(kMaxNameBytes)}});
  }
  if (!std::all_of(name.begin(), name.end(), allowed) || name[0] == '-' || name[0] == '_') {
    return InvalidArgument(
        "COLLECTION_NAME_INVALID",
        "the collection name holds a character that is not allowed. Use a-z, 0-9, - and _, and start "
        "with a letter or digit.");
  }
  return absl::OkStatus();
}

absl::Status ValidateConfig(const CollectionConfig& config, const RecordLimits& limits) {
  SIGHTLINE_RETURN_IF_ERROR(ValidateCollectionName(config.name));
  if (config.embedding_space.empty()) {
    return InvalidArgument("EMBEDDING_SPACE_MISSING",
                           "the embedding space is empty. Name the model, or the space of your descriptors.");
  }
  for (const auto& [what, text] : {std::pair<absl::string_view, absl::string_view>{"model", config.model},
                                   {"embedding_space", config.embedding_space},
                                   {"token_space", config.token_space}}) {
    SIGHTLINE_RETURN_IF_ERROR(ValidateText(what, "COLLECTION_SETTINGS_INVALID", text, kMaxSettingBytes));
  }
  if (config.description.size() > kMaxDescriptionBytes) {
    return TooLong("the description", "COLLECTION_SETTINGS_INVALID", config.description.size(), kMaxDescriptionBytes);
  }
  if (!IsUtf8(config.description)) {
    return InvalidArgument("COLLECTION_SETTINGS_INVALID", "the description is not valid UTF-8. Encode it as UTF-8.");
  }
  if (config.descriptor_dim < 1 || config.descriptor_dim > limits.max_descriptor_dim) {
    return InvalidArgument(
        "DESCRIPTOR_DIM_INVALID",
        absl::StrCat("descriptor_dim is ", config.descriptor_dim, "; it must be 1 to ", limits.max_descriptor_dim,
                     ". Set it to the model's dimension."),
        {{"actual", absl::StrCat(config.descriptor_dim)}, {"limit", absl::StrCat(limits.max_descriptor_dim)}});
  }
  SIGHTLINE_RETURN_IF_ERROR(ValidateSetting("hnsw_m", config.hnsw_m, 4, 64));
  SIGHTLINE_RETURN_IF_ERROR(ValidateSetting("hnsw_ef_construction", config.hnsw_ef_construction, 16, 1000));
  return ValidateSetting("ivf_lists", config.ivf_lists, 1, 65'536);
}

absl::StatusOr<std::vector<float>> NormalizeDescriptor(absl::Span<const float> values, int dim) {
  if (values.size() != static_cast<size_t>(dim)) {
    return InvalidArgument("DESCRIPTOR_DIM_MISMATCH",
                           absl::StrCat("the descriptor has ", values.size(), " values; the collection needs ", dim,
                                        ". Use the collection's model."),
                           {{"actual", absl::StrCat(values.size())}, {"expected", absl::StrCat(dim)}});
  }
  double squares = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      return InvalidArgument("DESCRIPTOR_INVALID",
                             absl::StrCat("descriptor value ", i, " is ", values[i],
                                          "; all values must be finite. Check the model that made it."),
                             {{"position", absl::StrCat(i)}});
    }
    squares += static_cast<double>(values[i]) * values[i];
  }
  if (squares == 0) {
    return InvalidArgument("DESCRIPTOR_INVALID",
                           "the descriptor is all zeros, which has no direction. Check the model that made it.");
  }
  const double scale = 1 / std::sqrt(squares);
  std::vector<float> normalized(values.size());
  for (size_t i = 0; i < values.size(); ++i) normalized[i] = static_cast<float>(values[i] * scale);
  return normalized;
}

}  // namespace sightline::index
