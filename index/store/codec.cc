#include "index/store/codec.h"

#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "index/kernels/float16.h"

namespace sightline::index {
namespace {

static_assert(std::endian::native == std::endian::little, "values are written as they lie in memory");

constexpr size_t kChecksumBytes = 4;

template <typename T>
void AppendValue(T value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
T ReadValue(absl::string_view bytes) {
  T value{};
  if (bytes.size() == sizeof(T)) std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

}  // namespace

void Encoder::U16(uint16_t value) { AppendValue(value, &out_); }
void Encoder::U32(uint32_t value) { AppendValue(value, &out_); }
void Encoder::U64(uint64_t value) { AppendValue(value, &out_); }
void Encoder::F64(double value) { AppendValue(value, &out_); }

void Encoder::Text(absl::string_view value) {
  U32(static_cast<uint32_t>(value.size()));
  Raw(value);
}

void Encoder::Raw(absl::string_view value) { out_.append(value.data(), value.size()); }

void Encoder::Floats(absl::Span<const float> values) {
  out_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

void Encoder::Halves(absl::Span<const float> values) {
  out_.reserve(out_.size() + values.size() * sizeof(uint16_t));
  for (const float value : values) U16(kernels::Float16FromFloat(value));
}

std::string Encoder::Seal(absl::string_view key) && {
  SealValue(key, &out_);
  return std::move(out_);
}

void SealValue(absl::string_view key, std::string* value) {
  AppendValue(base::Crc32c(*value, base::Crc32c(key)), value);
}

absl::Status DamagedError(absl::string_view what, absl::string_view problem) {
  return base::Error(absl::StatusCode::kDataLoss, "DATA_DAMAGED",
                     absl::StrCat("stored ", what, " is damaged: ", problem, ". Check the disk, and restore a backup."),
                     {{"what", std::string(what)}});
}

absl::StatusOr<Decoder> Decoder::OpenAny(absl::string_view what, absl::string_view key, absl::string_view value,
                                         uint8_t first, uint8_t last) {
  if (value.size() < kChecksumBytes + 1) {
    return DamagedError(what, absl::StrCat("it has ", value.size(), " bytes, too few for a checksum"));
  }
  const absl::string_view body = value.substr(0, value.size() - kChecksumBytes);
  if (ReadValue<uint32_t>(value.substr(body.size())) != base::Crc32c(body, base::Crc32c(key))) {
    return DamagedError(what, "its checksum does not match");
  }
  const uint8_t found = static_cast<uint8_t>(body[0]);
  if (found < first || found > last) {
    const std::string supported = first == last ? absl::StrCat(first) : absl::StrCat(first, " to ", last);
    return base::FailedPrecondition(
        "FORMAT_UNKNOWN",
        absl::StrCat("stored ", what, " has format ", found, "; this version reads format ", supported,
                     ". Run the version that wrote it, or a later one."),
        {{"what", std::string(what)}, {"actual", absl::StrCat(found)}, {"supported", supported}});
  }
  return Decoder(what, body.substr(1), found);
}

absl::string_view Decoder::Take(size_t size) {
  if (size > left_.size()) {
    Fail();
    return {};
  }
  const absl::string_view taken = left_.substr(0, size);
  left_.remove_prefix(size);
  return taken;
}

uint8_t Decoder::U8() { return ReadValue<uint8_t>(Take(sizeof(uint8_t))); }
uint16_t Decoder::U16() { return ReadValue<uint16_t>(Take(sizeof(uint16_t))); }
uint32_t Decoder::U32() { return ReadValue<uint32_t>(Take(sizeof(uint32_t))); }
uint64_t Decoder::U64() { return ReadValue<uint64_t>(Take(sizeof(uint64_t))); }
double Decoder::F64() { return ReadValue<double>(Take(sizeof(double))); }

std::string Decoder::Text() {
  const uint32_t size = U32();
  return Raw(size);
}

std::string Decoder::Raw(size_t size) { return std::string(Take(size)); }

std::vector<int8_t> Decoder::Bytes(size_t size) {
  const absl::string_view bytes = Take(size);
  return {bytes.begin(), bytes.end()};
}

std::vector<float> Decoder::Floats(size_t count) {
  const absl::string_view bytes = Take(count * sizeof(float));
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::vector<float> Decoder::Halves(size_t count) {
  const absl::string_view bytes = Take(count * sizeof(uint16_t));
  std::vector<float> values(bytes.size() / sizeof(uint16_t));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = kernels::FloatFromFloat16(ReadValue<uint16_t>(bytes.substr(i * sizeof(uint16_t), sizeof(uint16_t))));
  }
  return values;
}

absl::Status Decoder::Finish() const {
  if (failed_) return DamagedError(what_, "it ends within a field, or a field is out of range");
  if (!left_.empty()) return DamagedError(what_, absl::StrCat(left_.size(), " bytes follow its last field"));
  return absl::OkStatus();
}

}  // namespace sightline::index
