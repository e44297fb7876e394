#include "index/store/snapshot_manifest.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "index/collection.h"
#include "index/store/codec.h"

namespace sightline::index {
namespace {

// The last two bytes show a file that went through a conversion of line ends.
constexpr absl::string_view kManifestMagic = "SLSNAP\r\n";
constexpr absl::string_view kManifestWhat = "snapshot manifest";
constexpr size_t kDigestBytes = 32;
constexpr size_t kMaxSegmentName = 128;

bool IsNumber(absl::string_view text) {
  return !text.empty() && text.size() <= 20 && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

bool IsSegmentPath(absl::string_view path) {
  if (!absl::ConsumePrefix(&path, kSegmentFolder) || !absl::ConsumePrefix(&path, "/")) return false;
  const auto fits = [](char c) { return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_'; };
  // ".tmp" is how files end that are still being written.
  return !path.empty() && path.size() <= kMaxSegmentName && path[0] != '.' && !absl::EndsWith(path, ".tmp") &&
         std::all_of(path.begin(), path.end(), fits);
}

bool IsNumberedFile(absl::string_view path, absl::string_view ending) {
  return absl::ConsumeSuffix(&path, ending) && IsNumber(path);
}

}  // namespace

int64_t SnapshotManifest::file_bytes() const {
  int64_t bytes = 0;
  for (const SnapshotFile& file : files) bytes += file.size;
  return bytes;
}

bool SnapshotManifest::has_segments() const {
  return std::any_of(files.begin(), files.end(), [](const SnapshotFile& file) { return IsSegmentPath(file.path); });
}

bool IsImmutableSnapshotPath(absl::string_view path) {
  return IsNumberedFile(path, ".sst") || IsNumberedFile(path, ".blob") || IsSegmentPath(path);
}

bool IsSnapshotPath(absl::string_view path) {
  if (IsImmutableSnapshotPath(path) || IsNumberedFile(path, ".log") || path == "CURRENT") return true;
  return absl::ConsumePrefix(&path, "MANIFEST-") && IsNumber(path);
}

std::string EncodeSnapshotManifest(const SnapshotManifest& manifest) {
  Encoder out(kSnapshotFormat);
  out.Text(manifest.collection);
  out.I64(manifest.sequence);
  out.I64(manifest.images);
  out.I64(absl::ToUnixMicros(manifest.create_time));
  out.U32(static_cast<uint32_t>(manifest.files.size()));
  for (const SnapshotFile& file : manifest.files) {
    out.Text(file.path);
    out.I64(file.size);
    out.Raw(absl::HexStringToBytes(file.sha256));
  }
  return absl::StrCat(kManifestMagic, std::move(out).Seal(kManifestMagic));
}

absl::StatusOr<SnapshotManifest> DecodeSnapshotManifest(absl::string_view bytes) {
  if (!absl::ConsumePrefix(&bytes, kManifestMagic)) {
    return DamagedError(kManifestWhat, "it does not begin as one");
  }
  SIGHTLINE_ASSIGN_OR_RETURN(Decoder in, Decoder::Open(kManifestWhat, kManifestMagic, bytes, kSnapshotFormat));
  SnapshotManifest manifest;
  manifest.collection = in.Text();
  manifest.sequence = in.I64();
  manifest.images = in.I64();
  manifest.create_time = absl::FromUnixMicros(in.I64());
  const uint32_t count = in.U32();
  if (count > kMaxSnapshotFiles) {
    return DamagedError(kManifestWhat, absl::StrCat("it names ", count, " files; the limit is ", kMaxSnapshotFiles));
  }
  int64_t total = 0;
  for (uint32_t i = 0; i < count && in.remaining() > 0; ++i) {
    SnapshotFile file;
    file.path = in.Text();
    file.size = in.I64();
    file.sha256 = absl::BytesToHexString(in.Raw(kDigestBytes));
    if (!IsSnapshotPath(file.path)) {
      return DamagedError(kManifestWhat, absl::StrCat("file ", i, " has a name that no file of a snapshot has"));
    }
    if (!manifest.files.empty() && manifest.files.back().path >= file.path) {
      return DamagedError(kManifestWhat, absl::StrCat("file ", file.path, " is out of order, or comes twice"));
    }
    if (file.size < 0 || file.size > std::numeric_limits<int64_t>::max() / 2 - total) {
      return DamagedError(kManifestWhat, absl::StrCat("file ", file.path, " has a size of ", file.size));
    }
    total += file.size;
    manifest.files.push_back(std::move(file));
  }
  if (manifest.files.size() != count) in.Fail();
  SIGHTLINE_RETURN_IF_ERROR(in.Finish());
  if (!ValidateCollectionName(manifest.collection).ok()) {
    return DamagedError(kManifestWhat, "its collection has a name that none can have");
  }
  if (manifest.sequence < 0 || manifest.images < 0) return DamagedError(kManifestWhat, "it has a negative count");
  return manifest;
}

}  // namespace sightline::index
