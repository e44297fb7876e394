#include "index/store/sealed_file.h"

#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/kill_point.h"
#include "base/status.h"
#include "index/store/codec.h"

namespace sightline::index {
namespace {

constexpr uint32_t kSealedVersion = 1;
constexpr size_t kSealedMagicBytes = 8;
constexpr size_t kSealedHeadBytes = kSealedMagicBytes + sizeof(kSealedVersion);

}  // namespace

absl::StatusOr<SealedFileInfo> WriteSealedFile(const Files& files, const std::string& path, absl::string_view magic,
                                               absl::FunctionRef<absl::Status(ByteSink)> save) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<FileSink> sink, files.Create(path));
  SealedFileInfo info;
  const auto append = [&](absl::string_view bytes) {
    info.checksum = base::Crc32c(bytes, info.checksum);
    return sink->Append(bytes);
  };
  std::string head(magic);
  head.append(reinterpret_cast<const char*>(&kSealedVersion), sizeof(kSealedVersion));
  SIGHTLINE_RETURN_IF_ERROR(append(head));
  SIGHTLINE_RETURN_IF_ERROR(save(append));
  info.bytes = static_cast<uint64_t>(sink->size());
  SIGHTLINE_KILL_POINT("segment.links_written");
  SIGHTLINE_RETURN_IF_ERROR(sink->Finish());
  SIGHTLINE_KILL_POINT("segment.links_durable");
  return info;
}

absl::StatusOr<std::string> ReadSealedFile(const Files& files, const std::string& path, absl::string_view magic,
                                           const SealedFileInfo& info, uint64_t max_bytes) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<FileReader> file, files.Open(path));
  const std::string what = absl::StrCat("segment file ", path);
  if (static_cast<uint64_t>(file->size()) != info.bytes || info.bytes < kSealedHeadBytes ||
      info.bytes > kSealedHeadBytes + max_bytes) {
    return DamagedError(what, absl::StrCat("it has ", file->size(), " bytes instead of ", info.bytes));
  }
  std::string bytes(info.bytes, '\0');
  SIGHTLINE_RETURN_IF_ERROR(file->Read(0, bytes.size(), bytes.data()));
  if (base::Crc32c(bytes) != info.checksum) return DamagedError(what, "its checksum is wrong");
  uint32_t version = 0;
  std::memcpy(&version, bytes.data() + kSealedMagicBytes, sizeof(version));
  if (!absl::StartsWith(bytes, magic)) return DamagedError(what, "it is of another kind");
  if (version != kSealedVersion) {
    return base::FailedPrecondition("FORMAT_UNKNOWN", absl::StrCat(what, " has version ", version, "; this server knows ",
                                                                   kSealedVersion, ". Run the version that wrote it."));
  }
  bytes.erase(0, kSealedHeadBytes);
  return bytes;
}

}  // namespace sightline::index
