#include "client/cpp/snapshot_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/sha256.h"
#include "base/status.h"

namespace sightline::client {
namespace {

// The layout is specified in index/FORMAT.md, "Snapshots".
constexpr absl::string_view kStreamMagic = "SLSTREAM";
constexpr absl::string_view kManifestMagic = "SLSNAP\r\n";
constexpr uint64_t kStreamVersion = 1;
constexpr uint64_t kManifestFormat = 1;
constexpr size_t kHeaderBytes = 16;
constexpr size_t kDigestBytes = 32;
constexpr size_t kChecksumBytes = 4;
constexpr uint64_t kMaxManifestBytes = 16 << 20;
constexpr size_t kPieceBytes = 1 << 20;

absl::Status NotWhole(const std::string& path, absl::string_view problem) {
  return base::Error(absl::StatusCode::kDataLoss, "SNAPSHOT_DAMAGED",
                     absl::StrCat(path, " is not a whole snapshot: ", problem, ". Download it again."),
                     {{"path", path}});
}

absl::Status Unreadable(const std::string& path) {
  return base::NotFound("FILE_NOT_FOUND", absl::StrCat("cannot read ", path, ". Check the path and its mode."),
                        {{"path", path}});
}

// Takes fields from the front of bytes; zeros and a flag after the first that is not there.
class Fields {
 public:
  explicit Fields(absl::string_view bytes) : left_(bytes) {}

  absl::string_view Take(uint64_t size) {
    if (size > left_.size()) {
      failed_ = true;
      left_ = {};
      return {};
    }
    const absl::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  uint64_t Number(size_t bytes) {
    uint64_t value = 0;
    const absl::string_view taken = Take(bytes);
    for (size_t i = 0; i < taken.size(); ++i) {
      value |= static_cast<uint64_t>(static_cast<uint8_t>(taken[i])) << (8 * i);
    }
    return value;
  }
  std::string Text() { return std::string(Take(Number(4))); }
  bool failed() const { return failed_; }
  size_t left() const { return left_.size(); }

 private:
  absl::string_view left_;
  bool failed_ = false;
};

absl::Status NewerFormat(const std::string& path, uint64_t version) {
  return base::FailedPrecondition(
      "FORMAT_UNKNOWN",
      absl::StrCat(path, " has snapshot format ", version, ", which this version does not know. Use a newer one."),
      {{"path", path}, {"actual", absl::StrCat(version)}});
}

}  // namespace

absl::StatusOr<SnapshotHead> ReadSnapshotHead(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  // A folder opens, and gives nothing.
  if (!file || std::filesystem::is_directory(path)) return Unreadable(path);
  std::string header(kHeaderBytes, '\0');
  if (!file.read(header.data(), kHeaderBytes)) return NotWhole(path, "it has no header");
  Fields fields(header);
  if (fields.Take(kStreamMagic.size()) != kStreamMagic) return NotWhole(path, "it does not begin as a snapshot");
  if (const uint64_t version = fields.Number(4); version != kStreamVersion) return NewerFormat(path, version);
  const uint64_t manifest_bytes = fields.Number(4);
  if (manifest_bytes > kMaxManifestBytes) return NotWhole(path, "its manifest is too large");
  std::string bytes(manifest_bytes, '\0');
  if (!file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
    return NotWhole(path, "it ends within its manifest");
  }

  SnapshotHead head;
  head.sha256 = base::Sha256Hex(bytes);
  head.begin = static_cast<int64_t>(kHeaderBytes + bytes.size());
  head.size = head.begin;
  Fields manifest(bytes);
  if (manifest.Take(kManifestMagic.size()) != kManifestMagic) return NotWhole(path, "its manifest is not one");
  if (const uint64_t format = manifest.Number(1); format != kManifestFormat) return NewerFormat(path, format);
  head.collection = manifest.Text();
  manifest.Take(8);  // the sequence
  head.images = static_cast<int64_t>(manifest.Number(8));
  manifest.Take(8);  // the time
  const uint64_t count = manifest.Number(4);
  for (uint64_t i = 0; i < count && !manifest.failed(); ++i) {
    SnapshotHead::Part part;
    part.name = manifest.Text();
    part.size = static_cast<int64_t>(manifest.Number(8));
    part.sha256 = absl::BytesToHexString(manifest.Take(kDigestBytes));
    if (part.size < 0 || part.size > std::numeric_limits<int64_t>::max() - head.size) {
      return NotWhole(path, "its manifest has sizes that cannot be");
    }
    head.size += part.size;
    head.parts.push_back(std::move(part));
  }
  if (manifest.failed() || manifest.left() != kChecksumBytes) return NotWhole(path, "its manifest does not add up");
  return head;
}

absl::Status VerifySnapshotFile(const std::string& path, const SnapshotHead& head,
                                const std::function<void(int64_t bytes)>& on_progress) {
  std::error_code error;
  const auto actual = static_cast<int64_t>(std::filesystem::file_size(path, error));
  if (error) return Unreadable(path);
  if (actual != head.size) {
    return NotWhole(path, absl::StrCat("it has ", actual, " bytes; its manifest adds up to ", head.size));
  }
  std::ifstream file(path, std::ios::binary);
  file.seekg(head.begin);
  std::string piece(kPieceBytes, '\0');
  int64_t done = head.begin;
  for (const SnapshotHead::Part& part : head.parts) {
    base::Sha256 hash;
    for (int64_t left = part.size; left > 0;) {
      const auto size = static_cast<std::streamsize>(std::min<int64_t>(left, kPieceBytes));
      if (!file.read(piece.data(), size)) return NotWhole(path, "it could not be read to its end");
      hash.Update(piece.data(), static_cast<size_t>(size));
      left -= size;
      done += size;
      if (on_progress) on_progress(done);
    }
    if (hash.FinishHex() != part.sha256) {
      return NotWhole(path, absl::StrCat("part ", part.name, " does not have the SHA-256 of the manifest"));
    }
  }
  return absl::OkStatus();
}

}  // namespace sightline::client
