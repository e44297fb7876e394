#include "index/store/record_codec.h"

#include <cmath>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/store/codec.h"

namespace sightline::index {
namespace {

constexpr uint8_t kRecordFormat = 1;
constexpr uint8_t kDescriptorFormat = 1;
constexpr uint8_t kImageFormat = 1;

constexpr uint8_t kHasTokens = 1;
constexpr uint8_t kHasImage = 2;
constexpr uint8_t kHasCrop = 4;
constexpr uint8_t kIsPreview = 8;
constexpr uint8_t kIsOriginal = 16;

constexpr uint8_t kElementFloat32 = 0;
constexpr uint8_t kElementFloat16 = 1;

// Attribute types are the index of the variant; the order of AttributeValue is part of the format.
static_assert(
    std::is_same_v<AttributeValue, std::variant<std::string, int64_t, double, bool, std::vector<std::string>>>);
enum AttributeType : uint8_t { kString = 0, kInt64 = 1, kDouble = 2, kBool = 3, kStringList = 4 };

void EncodeAttribute(const AttributeValue& value, Encoder* out) {
  out->U8(static_cast<uint8_t>(value.index()));
  switch (value.index()) {
    case kString: out->Text(std::get<std::string>(value)); break;
    case kInt64: out->I64(std::get<int64_t>(value)); break;
    case kDouble: out->F64(std::get<double>(value)); break;
    case kBool: out->U8(std::get<bool>(value) ? 1 : 0); break;
    case kStringList: {
      const auto& list = std::get<std::vector<std::string>>(value);
      out->U32(static_cast<uint32_t>(list.size()));
      for (const std::string& item : list) out->Text(item);
      break;
    }
  }
}

AttributeValue DecodeAttribute(Decoder* in) {
  switch (in->U8()) {
    case kString: return in->Text();
    case kInt64: return in->I64();
    case kDouble: return in->F64();
    case kBool: return in->U8() != 0;
    case kStringList: {
      const uint32_t count = in->U32();
      std::vector<std::string> list;
      // Every item takes at least its length; a count beyond that ends here and is reported by Finish.
      if (count > in->remaining() / sizeof(uint32_t)) {
        in->Fail();
        return list;
      }
      list.reserve(count);
      for (uint32_t i = 0; i < count; ++i) list.push_back(in->Text());
      return list;
    }
    default: in->Fail(); return false;
  }
}

}  // namespace

std::string EncodeRecord(const StoredRecord& stored) {
  const Record& record = stored.record;
  Encoder out(kRecordFormat);
  out.U8(static_cast<uint8_t>((stored.has_tokens ? kHasTokens : 0) | (stored.has_image ? kHasImage : 0) |
                              (record.crop ? kHasCrop : 0) |
                              (stored.marked_image == KeepImage::kPreview ? kIsPreview : 0) |
                              (stored.marked_image == KeepImage::kOriginal ? kIsOriginal : 0)));
  out.I64(record.revision);
  out.I64(absl::ToUnixMicros(record.create_time));
  out.I64(absl::ToUnixMicros(record.update_time));
  out.U32(static_cast<uint32_t>(record.width));
  out.U32(static_cast<uint32_t>(record.height));
  out.Text(record.id);
  out.Text(record.source_uri);
  out.Text(record.sha256);
  out.Text(record.image_mime_type);
  out.U32(static_cast<uint32_t>(record.attributes.size()));
  for (const auto& [name, value] : record.attributes) {
    out.Text(name);
    EncodeAttribute(value, &out);
  }
  if (record.crop) {
    out.U8(record.crop->in_pixels ? 1 : 0);
    for (const double edge : {record.crop->x0, record.crop->y0, record.crop->x1, record.crop->y1}) out.F64(edge);
  }
  return std::move(out).Unsealed();
}

absl::StatusOr<StoredRecord> DecodeRecord(absl::string_view key, absl::string_view value) {
  SIGHTLINE_ASSIGN_OR_RETURN(Decoder in, Decoder::Open("record", key, value, kRecordFormat));
  StoredRecord stored;
  Record& record = stored.record;
  const uint8_t flags = in.U8();
  stored.has_tokens = (flags & kHasTokens) != 0;
  stored.has_image = (flags & kHasImage) != 0;
  if ((flags & kIsPreview) != 0) stored.marked_image = KeepImage::kPreview;
  if ((flags & kIsOriginal) != 0) stored.marked_image = KeepImage::kOriginal;
  record.revision = in.I64();
  record.create_time = absl::FromUnixMicros(in.I64());
  record.update_time = absl::FromUnixMicros(in.I64());
  record.width = static_cast<int>(in.U32());
  record.height = static_cast<int>(in.U32());
  record.id = in.Text();
  record.source_uri = in.Text();
  record.sha256 = in.Text();
  record.image_mime_type = in.Text();
  const uint32_t attributes = in.U32();
  for (uint32_t i = 0; i < attributes && in.remaining() > 0; ++i) {
    std::string name = in.Text();
    record.attributes[std::move(name)] = DecodeAttribute(&in);
  }
  if (record.attributes.size() != attributes) in.Fail();
  if ((flags & kHasCrop) != 0) {
    RecordCrop crop;
    crop.in_pixels = in.U8() != 0;
    for (double* const edge : {&crop.x0, &crop.y0, &crop.x1, &crop.y1}) *edge = in.F64();
    record.crop = crop;
  }
  SIGHTLINE_RETURN_IF_ERROR(in.Finish());
  return stored;
}

std::string EncodeDescriptor(const std::vector<float>& descriptor, DescriptorPrecision precision) {
  Encoder out(kDescriptorFormat);
  const bool half = precision == DescriptorPrecision::kFloat16;
  out.U8(half ? kElementFloat16 : kElementFloat32);
  out.U32(static_cast<uint32_t>(descriptor.size()));
  if (half) {
    out.Halves(descriptor);
  } else {
    out.Floats(descriptor);
  }
  return std::move(out).Unsealed();
}

absl::StatusOr<std::vector<float>> DecodeDescriptor(absl::string_view key, absl::string_view value, int dim) {
  SIGHTLINE_ASSIGN_OR_RETURN(Decoder in, Decoder::Open("descriptor", key, value, kDescriptorFormat));
  const uint8_t element = in.U8();
  const uint32_t count = in.U32();
  if (count != static_cast<uint32_t>(dim)) {
    return DamagedError("descriptor", absl::StrCat("it has ", count, " values, not ", dim));
  }
  std::vector<float> descriptor;
  switch (element) {
    case kElementFloat32: descriptor = in.Floats(count); break;
    case kElementFloat16: descriptor = in.Halves(count); break;
    default: in.Fail();
  }
  SIGHTLINE_RETURN_IF_ERROR(in.Finish());
  // Nothing writes others, but a checksum is no proof: a snapshot may come from anywhere.
  for (const float number : descriptor) {
    if (!std::isfinite(number)) return DamagedError("descriptor", absl::StrCat("it holds ", number));
  }
  return descriptor;
}

std::string EncodeImage(absl::string_view image) {
  Encoder out(kImageFormat);
  out.Raw(image);
  return std::move(out).Unsealed();
}

absl::StatusOr<std::string> DecodeImage(absl::string_view key, absl::string_view value) {
  SIGHTLINE_ASSIGN_OR_RETURN(Decoder in, Decoder::Open("image", key, value, kImageFormat));
  std::string image = in.Raw(in.remaining());
  SIGHTLINE_RETURN_IF_ERROR(in.Finish());
  return image;
}

}  // namespace sightline::index
