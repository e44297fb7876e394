#include "index/store/snapshot_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/store/errors.h"

namespace sightline::index {
namespace {

constexpr absl::string_view kStreamMagic = "SLSTREAM";
constexpr uint32_t kStreamVersion = 1;
constexpr size_t kHeaderBytes = 16;  // magic, version, bytes of the manifest

void AppendNumber(uint32_t value, std::string* out) {
  for (int shift = 0; shift < 32; shift += 8) out->push_back(static_cast<char>(value >> shift));
}

uint32_t ReadNumber(absl::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  return value;
}

std::string StreamHead(absl::string_view manifest) {
  std::string head(kStreamMagic);
  AppendNumber(kStreamVersion, &head);
  AppendNumber(static_cast<uint32_t>(manifest.size()), &head);
  return absl::StrCat(head, manifest);
}

absl::Status StreamError(absl::string_view problem) {
  return base::Error(
      absl::StatusCode::kDataLoss, "SNAPSHOT_DAMAGED",
      absl::StrCat("the snapshot that was sent is not whole: ", problem, ". Download it again and send all of it."));
}

absl::Status CheckHeader(absl::string_view header) {
  if (header.substr(0, kStreamMagic.size()) != kStreamMagic) return StreamError("it does not begin as a snapshot");
  const uint32_t version = ReadNumber(header.substr(8));
  if (version != kStreamVersion) {
    return base::FailedPrecondition(
        "FORMAT_UNKNOWN",
        absl::StrCat("the snapshot that was sent has stream format ", version, "; this version reads format ",
                     kStreamVersion, ". Send it to the version that wrote it, or to a later one."),
        {{"actual", absl::StrCat(version)}, {"supported", absl::StrCat(kStreamVersion)}});
  }
  const uint32_t size = ReadNumber(header.substr(12));
  if (size > kMaxSnapshotManifestBytes) {
    return StreamError(
        absl::StrCat("it declares a manifest of ", size, " bytes; the limit is ", kMaxSnapshotManifestBytes));
  }
  return absl::OkStatus();
}

}  // namespace

// ---- Reading

SnapshotStreamReader::SnapshotStreamReader(std::string folder, std::string name, absl::string_view manifest_bytes,
                                           SnapshotManifest manifest)
    : folder_(std::move(folder)),
      name_(std::move(name)),
      head_(StreamHead(manifest_bytes)),
      manifest_(std::move(manifest)),
      size_(static_cast<int64_t>(head_.size())) {
  begins_.reserve(manifest_.files.size());
  for (const SnapshotFile& file : manifest_.files) {
    begins_.push_back(size_);
    size_ += file.size;
  }
}

absl::StatusOr<std::string> SnapshotStreamReader::Read(int64_t offset, int64_t most) {
  if (offset < 0 || offset > size_) {
    return base::InvalidArgument("OFFSET_INVALID",
                                 absl::StrCat("offset is ", offset, "; ", name_, " has ", size_,
                                              " bytes as a stream. Start within it, or at 0."),
                                 {{"actual", absl::StrCat(offset)}, {"limit", absl::StrCat(size_)}});
  }
  std::string out(static_cast<size_t>(std::clamp<int64_t>(most, 0, size_ - offset)), '\0');
  size_t have = 0;
  const auto position = [&] { return offset + static_cast<int64_t>(have); };
  if (position() < static_cast<int64_t>(head_.size())) {
    have = head_.copy(out.data(), out.size(), static_cast<size_t>(position()));
  }
  while (have < out.size()) {
    // The last file that begins at or before the position; empty ones before it begin there as well.
    const auto after = std::upper_bound(begins_.begin(), begins_.end(), position());
    const size_t index = static_cast<size_t>(after - begins_.begin()) - 1;
    const int64_t within = position() - begins_[index];
    const size_t size = static_cast<size_t>(
        std::min<int64_t>(manifest_.files[index].size - within, static_cast<int64_t>(out.size() - have)));
    SIGHTLINE_RETURN_IF_ERROR(ReadFile(index, within, out.data() + have, size));
    have += size;
  }
  return out;
}

absl::Status SnapshotStreamReader::ReadFile(size_t index, int64_t offset, char* out, size_t size) {
  const SnapshotFile& file = manifest_.files[index];
  if (open_file_ == nullptr || open_index_ != index) {
    absl::StatusOr<std::unique_ptr<InputFile>> opened = InputFile::Open(absl::StrCat(folder_, "/", file.path));
    if (absl::IsNotFound(opened.status())) {
      const auto manifest = InputFile::Open(absl::StrCat(folder_, "/", kSnapshotManifestFile));
      return manifest.ok() ? SnapshotDamaged(name_, file.path, "is missing") : SnapshotNotFound(name_);
    }
    SIGHTLINE_RETURN_IF_ERROR(opened.status());
    open_file_ = *std::move(opened);
    open_index_ = index;
  }
  if (open_file_->size() != file.size) {
    return SnapshotDamaged(name_, file.path, absl::StrCat("has ", open_file_->size(), " bytes instead of ", file.size));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t got, open_file_->Read(offset, out, size));
  return got == size ? absl::OkStatus() : SnapshotDamaged(name_, file.path, "was cut short meanwhile");
}

// ---- Writing

SnapshotStreamWriter::SnapshotStreamWriter(std::string work, std::string sha256, Publish publish)
    : work_(std::move(work)), sha256_(std::move(sha256)), publish_(std::move(publish)) {}

std::string SnapshotStreamWriter::content() const { return absl::StrCat(work_.path(), "/content"); }

absl::Status SnapshotStreamWriter::Append(absl::string_view data) {
  if (!ended_.ok()) return ended_;
  ended_ = Take(data);
  if (!ended_.ok()) {
    output_.reset();
    work_.Remove();
  }
  return ended_;
}

absl::Status SnapshotStreamWriter::Take(absl::string_view data) {
  while (!data.empty()) {
    if (!begun_) {
      SIGHTLINE_RETURN_IF_ERROR(TakeHead(&data));
    } else if (file_ < manifest_.files.size()) {
      SIGHTLINE_RETURN_IF_ERROR(TakeFile(&data));
    } else {
      return StreamError("bytes follow its last file");
    }
  }
  return absl::OkStatus();
}

absl::Status SnapshotStreamWriter::TakeHead(absl::string_view* data) {
  size_t wanted = kHeaderBytes;
  if (head_.size() >= kHeaderBytes) wanted += ReadNumber(absl::string_view(head_).substr(12));
  const size_t take = std::min(wanted - head_.size(), data->size());
  head_.append(data->data(), take);
  data->remove_prefix(take);
  if (head_.size() < wanted) return absl::OkStatus();
  if (wanted > kHeaderBytes) return Begin();
  SIGHTLINE_RETURN_IF_ERROR(CheckHeader(head_));
  return ReadNumber(absl::string_view(head_).substr(12)) > 0 ? absl::OkStatus() : StreamError("it has no manifest");
}

absl::Status SnapshotStreamWriter::Begin() {
  const absl::string_view bytes = absl::string_view(head_).substr(kHeaderBytes);
  const std::string sha256 = base::Sha256Hex(bytes);
  if (sha256 != sha256_) {
    return StreamError(absl::StrCat("its manifest has the SHA-256 ", sha256, " instead of ", sha256_));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(manifest_, DecodeSnapshotManifest(bytes));
  SIGHTLINE_RETURN_IF_ERROR(work_.Create());
  SIGHTLINE_ASSIGN_OR_RETURN(const int64_t free, FreeDiskBytes(work_.path()));
  if (const int64_t needed = manifest_.file_bytes() + static_cast<int64_t>(bytes.size()); needed > free) {
    return base::Error(absl::StatusCode::kResourceExhausted, "DISK_FULL",
                       absl::StrCat("the snapshot has ", needed, " bytes; the data directory's disk has ", free,
                                    " left. Free space and send it again."),
                       {{"actual", absl::StrCat(needed)}, {"limit", absl::StrCat(free)}});
  }
  SIGHTLINE_RETURN_IF_ERROR(MakeFolder(content()));
  if (manifest_.has_segments()) {
    SIGHTLINE_RETURN_IF_ERROR(MakeFolder(absl::StrCat(content(), "/", kSegmentFolder)));
  }
  begun_ = true;
  return Advance();
}

absl::Status SnapshotStreamWriter::Advance() {
  for (; file_ < manifest_.files.size(); ++file_) {
    const SnapshotFile& file = manifest_.files[file_];
    if (output_ == nullptr) {
      SIGHTLINE_ASSIGN_OR_RETURN(output_, OutputFile::Create(absl::StrCat(content(), "/", file.path)));
      hash_ = std::make_unique<base::Sha256>();
      have_ = 0;
    }
    if (have_ < file.size) return absl::OkStatus();
    const auto output = std::exchange(output_, nullptr);
    SIGHTLINE_RETURN_IF_ERROR(output->Finish());
    if (hash_->FinishHex() != file.sha256) {
      return StreamError(absl::StrCat("file ", file.path, " does not have the SHA-256 of the manifest"));
    }
  }
  return absl::OkStatus();
}

absl::Status SnapshotStreamWriter::TakeFile(absl::string_view* data) {
  const int64_t left = manifest_.files[file_].size - have_;
  const absl::string_view piece =
      data->substr(0, static_cast<size_t>(std::min<uint64_t>(static_cast<uint64_t>(left), data->size())));
  SIGHTLINE_RETURN_IF_ERROR(output_->Append(piece));
  hash_->Update(piece);
  have_ += static_cast<int64_t>(piece.size());
  data->remove_prefix(piece.size());
  return Advance();
}

absl::StatusOr<SnapshotInfo> SnapshotStreamWriter::Complete() {
  if (!begun_) return StreamError(absl::StrCat("it ends after ", head_.size(), " bytes, within its manifest"));
  if (file_ < manifest_.files.size()) {
    return StreamError(absl::StrCat("it ends after ", have_, " of ", manifest_.files[file_].size, " bytes of file ",
                                    manifest_.files[file_].path));
  }
  return publish_(content(), head_.substr(kHeaderBytes));
}

absl::StatusOr<SnapshotInfo> SnapshotStreamWriter::Finish() {
  if (!ended_.ok()) return ended_;
  absl::StatusOr<SnapshotInfo> info = Complete();
  ended_ = info.ok() ? base::FailedPrecondition("SNAPSHOT_FINISHED",
                                                "this snapshot was taken in already. Begin another upload.")
                     : info.status();
  output_.reset();
  work_.Remove();
  return info;
}

}  // namespace sightline::index
