#include "index/store/keys.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/crc32c.h"

namespace sightline::index {
namespace {

constexpr size_t kKeyBytes = 8;
constexpr absl::string_view kPageTokenSalt = "sightline page token 1";

std::string BigEndian(uint64_t value, size_t bytes) {
  std::string out(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(value >> (8 * (bytes - 1 - i)));
  return out;
}

uint64_t FromBigEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

}  // namespace

std::string RecordKey(uint64_t record_key) { return BigEndian(record_key, kKeyBytes); }

std::optional<uint64_t> ParseRecordKey(absl::string_view key) {
  if (key.size() != kKeyBytes) return std::nullopt;
  return FromBigEndian(key);
}

std::string RequestKey(absl::string_view request_id) { return absl::StrCat("r", request_id); }

std::string RequestTimeKey(absl::Time time, absl::string_view request_id) {
  const int64_t micros = std::max<int64_t>(absl::ToUnixMicros(time), 0);
  return absl::StrCat("t", BigEndian(static_cast<uint64_t>(micros), kKeyBytes), request_id);
}

std::optional<RequestTime> ParseRequestTimeKey(absl::string_view key) {
  if (key.size() < 1 + kKeyBytes || key[0] != 't') return std::nullopt;
  return RequestTime{absl::FromUnixMicros(static_cast<int64_t>(FromBigEndian(key.substr(1, kKeyBytes)))),
                     std::string(key.substr(1 + kKeyBytes))};
}

std::string PageToken(uint64_t last_record_key) {
  const std::string key = RecordKey(last_record_key);
  return absl::BytesToHexString(absl::StrCat(key, BigEndian(base::Crc32c(key, base::Crc32c(kPageTokenSalt)), 4)));
}

std::optional<uint64_t> ParsePageToken(absl::string_view token) {
  if (token.size() != 2 * (kKeyBytes + 4) || !std::all_of(token.begin(), token.end(), absl::ascii_isxdigit)) {
    return std::nullopt;
  }
  const std::string bytes = absl::HexStringToBytes(token);
  const absl::string_view key = absl::string_view(bytes).substr(0, kKeyBytes);
  if (FromBigEndian(absl::string_view(bytes).substr(kKeyBytes)) != base::Crc32c(key, base::Crc32c(kPageTokenSalt))) {
    return std::nullopt;
  }
  return FromBigEndian(key);
}

}  // namespace sightline::index
