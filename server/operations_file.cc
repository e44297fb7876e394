#include "server/operations_file.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/delimited_message_util.h>

#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/crc32c.h"
#include "base/status.h"

namespace sightline::server {
namespace {

using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

constexpr absl::string_view kMagic = "SLTOPERA";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 16;
constexpr absl::string_view kNamePrefix = "operations/";

absl::Status Damaged(absl::string_view what) {
  return base::Error(absl::StatusCode::kDataLoss, "OPERATIONS_DAMAGED",
                     absl::StrCat("the file of the operations ", std::string(what),
                                  ". It is set aside; the collections are not concerned."));
}

}  // namespace

std::string OperationName(uint64_t number) { return absl::StrCat(kNamePrefix, number); }

uint64_t OperationNumber(absl::string_view name) {
  uint64_t number = 0;
  absl::string_view digits = name;
  if (!absl::ConsumePrefix(&digits, kNamePrefix) || !absl::SimpleAtoi(digits, &number)) return 0;
  // One number has one name: no sign, space or leading zero.
  return OperationName(number) == name ? number : 0;
}

std::string EncodeOperations(const StoredOperations& stored) {
  std::string body;
  {
    google::protobuf::io::StringOutputStream stream(&body);
    CodedOutputStream out(&stream);
    out.WriteLittleEndian64(stored.next_number);
    for (const StoredOperation& entry : stored.operations) {
      google::protobuf::util::SerializeDelimitedToCodedStream(entry.operation, &out);
      google::protobuf::util::SerializeDelimitedToCodedStream(entry.request, &out);
    }
  }
  std::string bytes(kMagic);
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    CodedOutputStream out(&stream);
    out.WriteLittleEndian32(kVersion);
    out.WriteLittleEndian32(base::Crc32c(body));
  }
  return bytes + body;
}

absl::StatusOr<StoredOperations> DecodeOperations(absl::string_view bytes) {
  if (bytes.size() < kHeaderBytes || !absl::StartsWith(bytes, kMagic)) return Damaged("does not begin as one");
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  uint32_t version = 0, checksum = 0;
  CodedInputStream::ReadLittleEndian32FromArray(data + kMagic.size(), &version);
  CodedInputStream::ReadLittleEndian32FromArray(data + kMagic.size() + sizeof(version), &checksum);
  if (version != kVersion) {
    return base::FailedPrecondition(
        "OPERATIONS_FORMAT_UNKNOWN",
        absl::StrCat("the file of the operations has version ", version, "; this server knows version ", kVersion,
                     ". Run the server that wrote it, or move the file away."),
        {{"actual", absl::StrCat(version)}, {"limit", absl::StrCat(kVersion)}});
  }
  const absl::string_view body = bytes.substr(kHeaderBytes);
  if (base::Crc32c(body) != checksum) return Damaged("does not match its checksum");
  if (body.size() < sizeof(uint64_t) || body.size() > std::numeric_limits<int>::max()) return Damaged("is incomplete");

  StoredOperations stored;
  google::protobuf::io::ArrayInputStream stream(body.data(), static_cast<int>(body.size()));
  CodedInputStream in(&stream);
  in.ReadLittleEndian64(&stored.next_number);
  uint64_t last = 0;
  for (;;) {
    StoredOperation entry;
    bool clean_end = false;
    if (!google::protobuf::util::ParseDelimitedFromCodedStream(&entry.operation, &in, &clean_end)) {
      if (clean_end) return stored;
      return Damaged("holds a message that cannot be read");
    }
    if (!google::protobuf::util::ParseDelimitedFromCodedStream(&entry.request, &in, nullptr)) {
      return Damaged("ends in the middle of an operation");
    }
    const uint64_t number = OperationNumber(entry.operation.name());
    if (number <= last || number >= stored.next_number) return Damaged("holds operations out of order");
    last = number;
    stored.operations.push_back(std::move(entry));
  }
}

}  // namespace sightline::server
