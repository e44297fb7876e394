#include "index/snapshots.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/status.h"
#include "index/store/checkpoint.h"
#include "index/store/errors.h"
#include "index/store/file_work.h"
#include "index/store/random_id.h"
#include "index/store/segment_manifest.h"
#include "index/store/snapshot_stream.h"

namespace sightline::index {
namespace {

constexpr absl::string_view kNamePrefix = "snapshots/";
constexpr absl::string_view kLastNumberFile = "LAST";
constexpr int64_t kMaxNumberBytes = 64;

// A positive number as it is printed.
std::optional<uint64_t> ParseSnapshotNumber(absl::string_view text) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number == 0 || absl::StrCat(number) != text) return std::nullopt;
  return number;
}

std::string SnapshotName(uint64_t number) { return absl::StrCat(kNamePrefix, number); }

absl::StatusOr<uint64_t> NumberOf(absl::string_view name) {
  const std::string whole(name);
  if (absl::ConsumePrefix(&name, kNamePrefix)) {
    if (const std::optional<uint64_t> number = ParseSnapshotNumber(name)) return *number;
  }
  return base::InvalidArgument("SNAPSHOT_NAME_INVALID",
                               "that is not the name of a snapshot: it must be \"snapshots/\" and a number. List the "
                               "snapshots to see their names.",
                               {{"snapshot", whole}});
}

// The numbers of the folders there are, ascending.
absl::StatusOr<std::vector<uint64_t>> ListNumbers(const std::string& folder) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> entries, base::ListFolder(folder));
  std::vector<uint64_t> numbers;
  for (const std::string& entry : entries) {
    if (const std::optional<uint64_t> number = ParseSnapshotNumber(entry)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// Tells a caller how far it is, and learns whether it should go on.
class ByteProgress {
 public:
  ByteProgress(const Progress& report, int64_t total) : report_(report), total_(total) {}

  absl::Status Add(int64_t bytes) {
    done_ += bytes;
    if (!report_ || report_(std::min(done_, total_), total_)) return absl::OkStatus();
    return base::Error(absl::StatusCode::kCancelled, "CANCELLED",
                       "the work on a snapshot was cancelled by its caller. Ask again if it is still wanted.");
  }

 private:
  const Progress& report_;
  const int64_t total_;
  int64_t done_ = 0;
};

SnapshotInfo InfoOf(uint64_t number, absl::string_view manifest_bytes, const SnapshotManifest& manifest) {
  return {.name = SnapshotName(number),
          .collection = manifest.collection,
          .sequence = manifest.sequence,
          .images = manifest.images,
          .size_bytes = manifest.file_bytes() + static_cast<int64_t>(manifest_bytes.size()),
          .sha256 = base::Sha256Hex(manifest_bytes),
          .create_time = manifest.create_time};
}

// Links the segment files of a collection into a snapshot. They can be made again from the records, so one that goes
// meanwhile is left out, and so are damaged ones, which are kept for whoever wants to look at them here.
absl::Status LinkSegments(const std::string& from, const std::string& to) {
  const absl::StatusOr<std::vector<std::string>> names = base::ListFolder(from);
  if (absl::IsNotFound(names.status())) return absl::OkStatus();
  SIGHTLINE_RETURN_IF_ERROR(names.status());
  SIGHTLINE_RETURN_IF_ERROR(MakeFolder(to));
  for (const std::string& name : *names) {
    if (!IsSnapshotPath(absl::StrCat(kSegmentFolder, "/", name)) || absl::EndsWith(name, kDamagedSuffix)) continue;
    const absl::Status linked = LinkOrCopyFile(absl::StrCat(from, "/", name), absl::StrCat(to, "/", name));
    if (!linked.ok() && !absl::IsNotFound(linked)) return linked;
  }
  return absl::OkStatus();
}

// The files of `folder` that belong to a snapshot, in order. What else a checkpoint holds (the options RocksDB ran
// with) says nothing that opening it needs, and goes.
absl::StatusOr<std::vector<SnapshotFile>> CollectFiles(const std::string& folder) {
  std::vector<SnapshotFile> files;
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> names, base::ListFolder(folder));
  for (const std::string& name : names) {
    if (name == kSegmentFolder) {
      SIGHTLINE_ASSIGN_OR_RETURN(const auto segments, base::ListFolder(absl::StrCat(folder, "/", name)));
      for (const std::string& segment : segments) files.push_back({absl::StrCat(name, "/", segment), 0, ""});
    } else if (IsSnapshotPath(name)) {
      files.push_back({name, 0, ""});
    } else {
      SIGHTLINE_RETURN_IF_ERROR(RemoveTree(absl::StrCat(folder, "/", name)));
    }
  }
  if (files.size() > kMaxSnapshotFiles) {
    return base::FailedPrecondition(
        "TOO_MANY_FILES",
        absl::StrCat("the collection has ", files.size(), " files; a snapshot holds at most ", kMaxSnapshotFiles,
                     ". Optimise the collection, or divide it."),
        {{"actual", absl::StrCat(files.size())}, {"limit", absl::StrCat(kMaxSnapshotFiles)}});
  }
  std::sort(files.begin(), files.end(), [](const SnapshotFile& a, const SnapshotFile& b) { return a.path < b.path; });
  return files;
}

// Fills in sizes and digests, and makes the files durable.
absl::Status DigestFiles(const std::string& folder, std::vector<SnapshotFile>* files, const Progress& progress) {
  int64_t total = 0;
  for (const SnapshotFile& file : *files) {
    SIGHTLINE_ASSIGN_OR_RETURN(const auto opened, InputFile::Open(absl::StrCat(folder, "/", file.path)));
    total += opened->size();
  }
  ByteProgress bytes(progress, total);
  for (SnapshotFile& file : *files) {
    const std::string path = absl::StrCat(folder, "/", file.path);
    SIGHTLINE_ASSIGN_OR_RETURN(FileDigest digest, DigestFile(path, [&](int64_t read) { return bytes.Add(read); }));
    SIGHTLINE_RETURN_IF_ERROR(SyncFile(path));
    file.size = digest.size;
    file.sha256 = std::move(digest.sha256);
  }
  return absl::OkStatus();
}

absl::Status SyncSnapshotFolders(const std::string& folder) {
  const absl::Status segments = base::SyncFolder(absl::StrCat(folder, "/", kSegmentFolder));
  if (!segments.ok() && !absl::IsNotFound(segments)) return segments;
  return base::SyncFolder(folder);
}

}  // namespace

std::string Snapshots::NewStagingFolder() const { return absl::StrCat(folders_.staging, "/snapshot.", RandomHex(8)); }

// ---- Making

absl::StatusOr<SnapshotInfo> Snapshots::Create(const Source& source, const Progress& progress) {
  WorkFolder work(NewStagingFolder());
  SIGHTLINE_RETURN_IF_ERROR(work.Create());
  const std::string content = absl::StrCat(work.path(), "/content");
  SIGHTLINE_RETURN_IF_ERROR(source.checkpoint(content));
  SIGHTLINE_KILL_POINT("snapshot.checkpoint");
  // After the checkpoint: a segment file that it does not know is of no use, and does no harm.
  SIGHTLINE_RETURN_IF_ERROR(LinkSegments(source.segment_folder, absl::StrCat(content, "/", kSegmentFolder)));
  SnapshotManifest manifest;
  SIGHTLINE_ASSIGN_OR_RETURN(manifest.files, CollectFiles(content));
  SIGHTLINE_ASSIGN_OR_RETURN(CheckpointContent inside, ReadCheckpoint(content, resources_));
  manifest.collection = std::move(inside.collection);
  manifest.sequence = inside.sequence;
  manifest.images = inside.images;
  manifest.create_time = clock_.Now();
  SIGHTLINE_RETURN_IF_ERROR(DigestFiles(content, &manifest.files, progress));
  return Publish(content, EncodeSnapshotManifest(manifest));
}

absl::StatusOr<uint64_t> Snapshots::TakeNumber() {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers, ListNumbers(folders_.snapshots));
  uint64_t last = numbers.empty() ? 0 : numbers.back();
  // The newest one may have been deleted, and its name must not come to mean something else.
  const std::string path = absl::StrCat(folders_.snapshots, "/", kLastNumberFile);
  const absl::StatusOr<std::string> text = base::ReadFile(path, kMaxNumberBytes);
  if (text.ok()) {
    if (const auto recorded = ParseSnapshotNumber(absl::StripAsciiWhitespace(*text))) {
      last = std::max(last, *recorded);
    } else {
      base::Log(base::Severity::kWarning,
                "the number of the last snapshot is damaged; counting on from those there are", {{"path", path}});
    }
  } else if (!absl::IsNotFound(text.status())) {
    return text.status();
  }
  SIGHTLINE_RETURN_IF_ERROR(base::WriteFileDurably(path, absl::StrCat(last + 1, "\n")));
  return last + 1;
}

absl::StatusOr<SnapshotInfo> Snapshots::Publish(const std::string& folder, const std::string& manifest_bytes) {
  SIGHTLINE_RETURN_IF_ERROR(base::WriteFileDurably(absl::StrCat(folder, "/", kSnapshotManifestFile), manifest_bytes));
  SIGHTLINE_RETURN_IF_ERROR(SyncSnapshotFolders(folder));
  SIGHTLINE_KILL_POINT("snapshot.whole");
  SIGHTLINE_ASSIGN_OR_RETURN(const SnapshotManifest manifest, DecodeSnapshotManifest(manifest_bytes));
  base::MutexLock lock(publish_mutex_);
  SIGHTLINE_ASSIGN_OR_RETURN(const uint64_t number, TakeNumber());
  SIGHTLINE_KILL_POINT("snapshot.numbered");
  SIGHTLINE_RETURN_IF_ERROR(Move(folder, absl::StrCat(folders_.snapshots, "/", number)));
  SIGHTLINE_KILL_POINT("snapshot.renamed");
  SIGHTLINE_RETURN_IF_ERROR(base::SyncFolder(folders_.snapshots));
  return InfoOf(number, manifest_bytes, manifest);
}

absl::StatusOr<std::unique_ptr<SnapshotWriter>> Snapshots::Write(const std::string& sha256) {
  if (sha256.size() != 64 || !std::all_of(sha256.begin(), sha256.end(),
                                          [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); })) {
    return base::InvalidArgument("SHA256_INVALID",
                                 "sha256 must be the 64 lower-case hex digits that the snapshot's listing shows. Send "
                                 "those.");
  }
  return std::unique_ptr<SnapshotWriter>(new SnapshotStreamWriter(
      NewStagingFolder(), sha256,
      [this](const std::string& folder, const std::string& manifest) { return Publish(folder, manifest); }));
}

// ---- Finding

absl::StatusOr<Snapshots::Loaded> Snapshots::Load(const std::string& name) const {
  SIGHTLINE_ASSIGN_OR_RETURN(const uint64_t number, NumberOf(name));
  Loaded loaded;
  loaded.folder = absl::StrCat(folders_.snapshots, "/", number);
  const std::string file(kSnapshotManifestFile);
  absl::StatusOr<std::string> bytes = base::ReadFile(absl::StrCat(loaded.folder, "/", file), kMaxSnapshotManifestBytes);
  if (absl::IsNotFound(bytes.status())) {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers, ListNumbers(folders_.snapshots));
    if (!std::binary_search(numbers.begin(), numbers.end(), number)) return SnapshotNotFound(name);
    return SnapshotDamaged(name, file, "is missing");
  }
  SIGHTLINE_RETURN_IF_ERROR(bytes.status());
  loaded.manifest_bytes = *std::move(bytes);
  absl::StatusOr<SnapshotManifest> manifest = DecodeSnapshotManifest(loaded.manifest_bytes);
  if (manifest.ok()) {
    loaded.manifest = *std::move(manifest);
    return loaded;
  }
  if (absl::IsFailedPrecondition(manifest.status())) {
    return base::FailedPrecondition(
        "FORMAT_UNKNOWN",
        absl::StrCat(name,
                     " is of a format that this version does not know. Use it with the version that wrote it, or "
                     "with a later one."),
        {{"snapshot", name}, {"supported", absl::StrCat(kSnapshotFormat)}});
  }
  return SnapshotDamaged(name, file, "is not what was written");
}

absl::StatusOr<std::vector<SnapshotInfo>> Snapshots::List(const std::string& collection) const {
  SIGHTLINE_ASSIGN_OR_RETURN(std::vector<uint64_t> numbers, ListNumbers(folders_.snapshots));
  std::reverse(numbers.begin(), numbers.end());
  std::vector<SnapshotInfo> infos;
  for (const uint64_t number : numbers) {
    const absl::StatusOr<Loaded> loaded = Load(SnapshotName(number));
    if (absl::IsNotFound(loaded.status())) continue;
    if (!loaded.ok()) {
      base::Log(base::Severity::kWarning, "a snapshot is left out of the list",
                {{"snapshot", SnapshotName(number)}, {"error", std::string(loaded.status().message())}});
      continue;
    }
    if (!collection.empty() && loaded->manifest.collection != collection) continue;
    infos.push_back(InfoOf(number, loaded->manifest_bytes, loaded->manifest));
  }
  return infos;
}

absl::Status Snapshots::Delete(const std::string& name) {
  SIGHTLINE_ASSIGN_OR_RETURN(const uint64_t number, NumberOf(name));
  const std::string trash = absl::StrCat(folders_.trash, "/snapshot.", RandomHex(8));
  const absl::Status moved = Move(absl::StrCat(folders_.snapshots, "/", number), trash);
  if (absl::IsNotFound(moved)) return SnapshotNotFound(name);
  SIGHTLINE_RETURN_IF_ERROR(moved);
  SIGHTLINE_KILL_POINT("snapshot.deleted");
  SIGHTLINE_RETURN_IF_ERROR(base::SyncFolder(folders_.snapshots));
  // It is gone for good; what is left is tidying up, which the next start repeats.
  RemoveTreeOrLog(trash);
  return absl::OkStatus();
}

// ---- Using

absl::Status Snapshots::Verify(const std::string& name, const Loaded& snapshot, const Progress& progress) const {
  ByteProgress bytes(progress, snapshot.manifest.file_bytes());
  for (const SnapshotFile& file : snapshot.manifest.files) {
    const absl::StatusOr<FileDigest> digest =
        DigestFile(absl::StrCat(snapshot.folder, "/", file.path), [&](int64_t read) { return bytes.Add(read); });
    if (absl::IsNotFound(digest.status())) {
      // It was deleted meanwhile, or a part of it is missing.
      SIGHTLINE_RETURN_IF_ERROR(Load(name).status());
      return SnapshotDamaged(name, file.path, "is missing");
    }
    SIGHTLINE_RETURN_IF_ERROR(digest.status());
    if (digest->size != file.size) {
      return SnapshotDamaged(name, file.path, absl::StrCat("has ", digest->size, " bytes instead of ", file.size));
    }
    if (digest->sha256 != file.sha256) return SnapshotDamaged(name, file.path, "does not have its SHA-256");
  }
  return absl::OkStatus();
}

std::vector<std::pair<std::string, absl::Status>> Snapshots::Examine() const {
  std::vector<std::pair<std::string, absl::Status>> found;
  const absl::StatusOr<std::vector<uint64_t>> numbers = ListNumbers(folders_.snapshots);
  if (!numbers.ok()) return {{std::string("snapshots"), numbers.status()}};
  for (const uint64_t number : *numbers) {
    const std::string name = SnapshotName(number);
    const absl::StatusOr<Loaded> loaded = Load(name);
    found.emplace_back(name, loaded.ok() ? Verify(name, *loaded, nullptr) : loaded.status());
  }
  return found;
}

absl::Status Snapshots::CopyTo(const std::string& name, const std::string& folder, const Progress& progress) const {
  SIGHTLINE_ASSIGN_OR_RETURN(const Loaded snapshot, Load(name));
  SIGHTLINE_RETURN_IF_ERROR(Verify(name, snapshot, progress));
  SIGHTLINE_RETURN_IF_ERROR(MakeFolder(folder));
  if (snapshot.manifest.has_segments()) {
    SIGHTLINE_RETURN_IF_ERROR(MakeFolder(absl::StrCat(folder, "/", kSegmentFolder)));
  }
  for (const SnapshotFile& file : snapshot.manifest.files) {
    const std::string from = absl::StrCat(snapshot.folder, "/", file.path);
    const std::string to = absl::StrCat(folder, "/", file.path);
    absl::Status copied = IsImmutableSnapshotPath(file.path) ? LinkOrCopyFile(from, to) : CopyFile(from, to).status();
    if (absl::IsNotFound(copied)) return SnapshotNotFound(name);
    SIGHTLINE_RETURN_IF_ERROR(copied);
  }
  return SyncSnapshotFolders(folder);
}

absl::StatusOr<std::unique_ptr<SnapshotReader>> Snapshots::Read(const std::string& name) const {
  SIGHTLINE_ASSIGN_OR_RETURN(Loaded snapshot, Load(name));
  return std::unique_ptr<SnapshotReader>(
      new SnapshotStreamReader(snapshot.folder, name, snapshot.manifest_bytes, std::move(snapshot.manifest)));
}

}  // namespace sightline::index
