#include "index/store/files.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/status.h"
#include "index/store/rocks.h"

namespace sightline::index {
namespace {

std::string Temporary(const std::string& path) { return absl::StrCat(path, ".tmp"); }

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
}

absl::Status FileStatus(const rocksdb::Status& status, absl::string_view action, const std::string& path) {
  if (status.IsPathNotFound() || status.IsNotFound()) {
    return base::NotFound("FILE_NOT_FOUND", absl::StrCat("cannot ", action, " ", path, ": it is not there."),
                          {{"path", path}});
  }
  return FromRocks(status, absl::StrCat(action, " ", path));
}

absl::Status SyncFolderOf(rocksdb::Env* env, const std::string& path) {
  const std::string folder = FolderOf(path);
  std::unique_ptr<rocksdb::Directory> directory;
  SIGHTLINE_RETURN_IF_ERROR(FileStatus(env->NewDirectory(folder, &directory), "open folder", folder));
  return FileStatus(directory->Fsync(), "sync folder", folder);
}

}  // namespace

// ---- Writing

FileSink::FileSink(rocksdb::Env* env, std::string path, std::unique_ptr<rocksdb::WritableFile> file)
    : env_(env), path_(std::move(path)), file_(std::move(file)) {}

FileSink::~FileSink() {
  if (renamed_) return;
  file_.reset();
  if (const rocksdb::Status removed = env_->DeleteFile(Temporary(path_)); !removed.ok()) {
    base::Log(base::Severity::kWarning, "an unfinished file is left behind",
              {{"path", Temporary(path_)}, {"reason", removed.ToString()}});
  }
}

absl::Status FileSink::Append(absl::string_view data) {
  SIGHTLINE_RETURN_IF_ERROR(FileStatus(file_->Append(ToSlice(data)), "write", path_));
  size_ += static_cast<int64_t>(data.size());
  return absl::OkStatus();
}

absl::Status FileSink::Finish() {
  SIGHTLINE_KILL_POINT("file.before_sync");
  SIGHTLINE_RETURN_IF_ERROR(FileStatus(file_->Flush(), "write", path_));
  SIGHTLINE_RETURN_IF_ERROR(FileStatus(file_->Fsync(), "sync", path_));
  const rocksdb::Status closed = file_->Close();
  file_.reset();
  SIGHTLINE_RETURN_IF_ERROR(FileStatus(closed, "close", path_));
  SIGHTLINE_KILL_POINT("file.after_sync");
  SIGHTLINE_RETURN_IF_ERROR(FileStatus(env_->RenameFile(Temporary(path_), path_), "rename to", path_));
  renamed_ = true;
  SIGHTLINE_KILL_POINT("file.after_rename");
  return SyncFolderOf(env_, path_);
}

absl::StatusOr<std::unique_ptr<FileSink>> Files::Create(const std::string& path) const {
  std::unique_ptr<rocksdb::WritableFile> file;
  SIGHTLINE_RETURN_IF_ERROR(
      FileStatus(env_->NewWritableFile(Temporary(path), &file, rocksdb::EnvOptions()), "create", path));
  return std::unique_ptr<FileSink>(new FileSink(env_, path, std::move(file)));
}

// ---- Reading

void FileReader::Prefetch(int64_t offset, size_t n) const {
  // A hint: what cannot be fetched shows when it is read.
  file_->Prefetch(static_cast<uint64_t>(offset), n).PermitUncheckedError();
}

absl::Status FileReader::Read(int64_t offset, size_t n, char* out) const {
  if (offset < 0 || n > static_cast<uint64_t>(size_) || offset > size_ - static_cast<int64_t>(n)) {
    return base::Error(absl::StatusCode::kDataLoss, "DATA_DAMAGED",
                       absl::StrCat(path_, " has ", size_, " bytes; ", n, " from ", offset,
                                    " were to be read. Check the disk, and restore a backup."),
                       {{"path", path_}});
  }
  size_t have = 0;
  while (have < n) {
    rocksdb::Slice got;
    SIGHTLINE_RETURN_IF_ERROR(
        FileStatus(file_->Read(static_cast<uint64_t>(offset) + have, n - have, &got, out + have), "read", path_));
    if (got.empty()) {
      return base::Error(absl::StatusCode::kDataLoss, "DATA_DAMAGED",
                         absl::StrCat(path_, " was cut short to ", static_cast<size_t>(offset) + have,
                                      " bytes while it was open. Check the disk, and restore a backup."),
                         {{"path", path_}});
    }
    if (got.data() != out + have) std::copy_n(got.data(), got.size(), out + have);
    have += got.size();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<FileReader>> Files::Open(const std::string& path) const {
  std::unique_ptr<rocksdb::RandomAccessFile> file;
  SIGHTLINE_RETURN_IF_ERROR(FileStatus(env_->NewRandomAccessFile(path, &file, rocksdb::EnvOptions()), "open", path));
  uint64_t size = 0;
  SIGHTLINE_RETURN_IF_ERROR(FileStatus(env_->GetFileSize(path, &size), "measure", path));
  return std::unique_ptr<FileReader>(new FileReader(path, static_cast<int64_t>(size), std::move(file)));
}

// ---- Folders

absl::Status Files::Remove(const std::string& path) const {
  const absl::Status removed = FileStatus(env_->DeleteFile(path), "remove", path);
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

absl::StatusOr<std::vector<std::string>> Files::List(const std::string& folder) const {
  std::vector<std::string> names;
  const absl::Status listed = FileStatus(env_->GetChildren(folder, &names), "list", folder);
  if (absl::IsNotFound(listed)) return std::vector<std::string>();
  SIGHTLINE_RETURN_IF_ERROR(listed);
  std::erase_if(names, [](const std::string& name) { return name == "." || name == ".."; });
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status Files::CreateFolder(const std::string& folder) const {
  SIGHTLINE_RETURN_IF_ERROR(FileStatus(env_->CreateDirIfMissing(folder), "create", folder));
  return SyncFolderOf(env_, folder);
}

}  // namespace sightline::index
