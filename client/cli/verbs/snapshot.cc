#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "client/cli/byte_progress.h"
#include "client/cli/follow.h"
#include "client/cli/json.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"
#include "client/cpp/rpc_status.h"
#include "client/cpp/snapshot_file.h"

namespace sightline::cli {
namespace {

constexpr size_t kUploadPieceBytes = 1 << 20;

struct Action {
  const char* name;
  size_t operands;  // at least
  size_t most;
  const char* takes;
};

constexpr Action kActions[] = {{"list", 0, 1, "at most the name of a collection"},
                               {"create", 1, 1, "the name of a collection"},
                               {"restore", 2, 2, "a snapshot and the name of the new collection"},
                               {"delete", 1, 1, "a snapshot"},
                               {"download", 2, 2, "a snapshot and a file"},
                               {"upload", 1, 1, "a file"}};

// A bare number stands for the snapshot with it.
std::string SnapshotName(const std::string& word) {
  return absl::StrContains(word, '/') ? word : absl::StrCat("snapshots/", word);
}

int ShowSnapshot(Context& context, const Args& args, const v1::Snapshot& snapshot, absl::string_view done) {
  context.out.Write(args.Switch("json")
                        ? absl::StrCat(JsonMessage(snapshot), "\n")
                        : absl::StrCat(done, " ", Printable(snapshot.name()), ": ", Plural(snapshot.images(), "image"),
                                       " of ", Printable(snapshot.collection()), ", ",
                                       FormatBytes(snapshot.size_bytes()), "\n"));
  return kOk;
}

int ListThem(Context& context, const Args& args, client::Client& client, const std::string& collection) {
  const auto snapshots = client.ListSnapshots(collection);
  if (!snapshots.ok()) return Fail(context, args, snapshots.status());
  if (args.Switch("json")) {
    for (const auto& snapshot : *snapshots) context.out.Write(absl::StrCat(JsonMessage(snapshot), "\n"));
    return kOk;
  }
  if (snapshots->empty()) {
    context.out.Write("no snapshots; take one with \"sightline snapshots create COLLECTION\"\n");
    return kOk;
  }
  Table table({{"snapshot"}, {"collection"}, {"images", Align::kRight}, {"size", Align::kRight}, {"taken"}});
  for (const auto& snapshot : *snapshots) {
    table.AddRow({snapshot.name(), snapshot.collection(), FormatCount(snapshot.images()),
                  FormatBytes(snapshot.size_bytes()), TimeText(snapshot.create_time())});
  }
  context.out.Write(table.Render(context.style));
  return kOk;
}

// Follows an operation to its end; `result` is the message that it produces.
absl::Status FollowTo(Context& context, client::Client& client, const absl::StatusOr<v1::Operation>& started,
                      google::protobuf::Message* result) {
  SIGHTLINE_RETURN_IF_ERROR(started.status());
  SIGHTLINE_ASSIGN_OR_RETURN(const v1::Operation ended, Follow(context, client, *started));
  if (ended.state() == v1::Operation::STATE_FAILED && ended.error().code() != 0) {
    return client::FromRpcStatus(ended.error());
  }
  if (ended.state() != v1::Operation::STATE_SUCCEEDED) {
    return base::Error(
        absl::StatusCode::kCancelled, "OPERATION_ENDED",
        absl::StrCat(ended.name(), " was ", StateText(ended), ". Start it again if it is still wanted."));
  }
  if (ended.result().UnpackTo(result)) return absl::OkStatus();
  return base::Error(absl::StatusCode::kInternal, "RESULT_UNKNOWN",
                     absl::StrCat(ended.name(),
                                  " ended with a result that this version does not know. Use the "
                                  "server's version of this program."));
}

int CreateOne(Context& context, const Args& args, client::Client& client, const std::string& collection) {
  v1::Snapshot snapshot;
  const absl::Status status = FollowTo(context, client, client.CreateSnapshot(collection), &snapshot);
  return status.ok() ? ShowSnapshot(context, args, snapshot, "took") : Fail(context, args, status);
}

int RestoreOne(Context& context, const Args& args, client::Client& client, const std::string& name,
               const std::string& collection) {
  v1::Collection restored;
  const absl::Status status = FollowTo(context, client, client.RestoreSnapshot(name, collection), &restored);
  if (!status.ok()) return Fail(context, args, status);
  context.out.Write(args.Switch("json") ? absl::StrCat(JsonMessage(restored), "\n")
                                        : absl::StrCat("restored ", Printable(name), " as ", Printable(restored.name()),
                                                       ": ", Plural(restored.stats().images(), "image"), "\n"));
  return kOk;
}

int DeleteOne(Context& context, const Args& args, client::Client& client, const std::string& name) {
  if (!args.Switch("yes")) {
    return Misused(context, "snapshots",
                   absl::StrCat("deleting ", Printable(name), " deletes it for good; add --yes to mean it."));
  }
  const absl::Status deleted = client.DeleteSnapshot(name);
  if (!deleted.ok()) return Fail(context, args, deleted);
  context.out.Write(args.Switch("json") ? absl::StrCat(JsonObject().Text("deleted", name).Done(), "\n")
                                        : absl::StrCat("deleted ", Printable(name), "\n"));
  return kOk;
}

// ---- Download

absl::Status FileProblem(absl::string_view action, const std::string& path) {
  return base::Error(absl::StatusCode::kInternal, "FILE_ERROR",
                     absl::StrCat("cannot ", action, " ", path, ": ", std::strerror(errno),
                                  ". Check the disk and the permissions, then run the same command again."),
                     {{"path", path}});
}

// How much of `snapshot` an earlier download has left in `path`; 0 when what is there is something else.
int64_t BytesThere(const std::string& path, const v1::Snapshot& snapshot) {
  const auto head = client::ReadSnapshotHead(path);
  if (!head.ok() || head->sha256 != snapshot.sha256()) return 0;
  std::error_code error;
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path, error));
  return error || size > head->size ? 0 : size;
}

absl::Status Receive(Context& context, client::Client& client, const v1::Snapshot& snapshot, const std::string& path) {
  int64_t offset = BytesThere(path, snapshot);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return FileProblem("create", path);
  const absl::Cleanup close = [fd] { ::close(fd); };
  if (::ftruncate(fd, offset) != 0 || ::lseek(fd, offset, SEEK_SET) != offset) return FileProblem("write", path);
  ByteProgress progress(context, "downloading");
  SIGHTLINE_RETURN_IF_ERROR(
      client.DownloadSnapshot(snapshot.name(), offset, [&](const v1::DownloadSnapshotResponse& piece) -> absl::Status {
        if (piece.offset() != offset) {
          return base::Error(absl::StatusCode::kInternal, "OFFSET_INVALID",
                             "the server sent a piece out of order. Run the same command again.");
        }
        absl::string_view data = piece.data();
        while (!data.empty()) {
          const ssize_t written = ::write(fd, data.data(), data.size());
          if (written < 0 && errno == EINTR) continue;
          if (written < 0) return FileProblem("write", path);
          data.remove_prefix(static_cast<size_t>(written));
        }
        offset += static_cast<int64_t>(piece.data().size());
        progress.Update(offset, piece.total_bytes());
        return absl::OkStatus();
      }));
  return ::fsync(fd) == 0 ? absl::OkStatus() : FileProblem("sync", path);
}

absl::Status Verify(Context& context, const std::string& path, const std::string& expected_sha256) {
  SIGHTLINE_ASSIGN_OR_RETURN(const client::SnapshotHead head, client::ReadSnapshotHead(path));
  if (!expected_sha256.empty() && head.sha256 != expected_sha256) {
    return base::Error(absl::StatusCode::kDataLoss, "SNAPSHOT_DAMAGED",
                       absl::StrCat(path, " does not have the SHA-256 that the server lists. Download it again."));
  }
  ByteProgress progress(context, "verifying");
  return client::VerifySnapshotFile(path, head, [&](int64_t bytes) { progress.Update(bytes, head.size); });
}

absl::Status DownloadTo(Context& context, client::Client& client, const std::string& name, const std::string& path,
                        v1::Snapshot* snapshot) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    return base::FailedPrecondition(
        "FILE_EXISTS", absl::StrCat(path, " is there already. Remove it, or choose another name."), {{"path", path}});
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const auto snapshots, client.ListSnapshots());
  const auto found = std::find_if(snapshots.begin(), snapshots.end(),
                                  [&](const v1::Snapshot& candidate) { return candidate.name() == name; });
  if (found == snapshots.end()) {
    return base::NotFound("SNAPSHOT_NOT_FOUND",
                          absl::StrCat("the server lists no ", name,
                                       ". \"sightline snapshots list\" shows what there "
                                       "is."),
                          {{"snapshot", name}});
  }
  *snapshot = *found;
  const std::string part = absl::StrCat(path, ".part");
  SIGHTLINE_RETURN_IF_ERROR(Receive(context, client, *snapshot, part));
  if (const absl::Status verified = Verify(context, part, snapshot->sha256()); !verified.ok()) {
    // Going on from it would end the same way.
    std::filesystem::remove(part, error);
    return verified;
  }
  if (std::rename(part.c_str(), path.c_str()) != 0) return FileProblem("rename to", path);
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return base::SyncFolder(parent.empty() ? "." : parent);
}

int DownloadOne(Context& context, const Args& args, client::Client& client, const std::string& name,
                const std::string& path) {
  v1::Snapshot snapshot;
  const absl::Status status = DownloadTo(context, client, name, path, &snapshot);
  return status.ok() ? ShowSnapshot(context, args, snapshot, "downloaded") : Fail(context, args, status);
}

// ---- Upload

absl::StatusOr<v1::Snapshot> UploadFrom(Context& context, client::Client& client, const std::string& path) {
  SIGHTLINE_RETURN_IF_ERROR(Verify(context, path, ""));
  SIGHTLINE_ASSIGN_OR_RETURN(const client::SnapshotHead head, client::ReadSnapshotHead(path));
  std::ifstream file(path, std::ios::binary);
  ByteProgress progress(context, "uploading");
  int64_t sent = 0;
  return client.UploadSnapshot(head.sha256, [&]() -> absl::StatusOr<std::string> {
    std::string piece(kUploadPieceBytes, '\0');
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    if (file.bad()) return FileProblem("read", path);
    piece.resize(static_cast<size_t>(file.gcount()));
    sent += file.gcount();
    progress.Update(sent, head.size);
    return piece;
  });
}

int UploadOne(Context& context, const Args& args, client::Client& client, const std::string& path) {
  const auto snapshot = UploadFrom(context, client, path);
  return snapshot.ok() ? ShowSnapshot(context, args, *snapshot, "uploaded as") : Fail(context, args, snapshot.status());
}

int RunSnapshot(Context& context, const Args& args) {
  std::vector<std::string> words = args.operands();
  const std::string name = words.empty() ? "list" : words[0];
  if (!words.empty()) words.erase(words.begin());
  const auto* const action =
      std::find_if(std::begin(kActions), std::end(kActions), [&](const Action& known) { return known.name == name; });
  if (action == std::end(kActions)) {
    std::vector<std::string> names;
    for (const Action& known : kActions) names.emplace_back(known.name);
    const std::string near = Closest(name, names);
    return Misused(context, "snapshots",
                   absl::StrCat("unknown action \"", Printable(name), "\".",
                                near.empty() ? "" : absl::StrCat(" Did you mean ", near, "?")));
  }
  if (words.size() < action->operands || words.size() > action->most) {
    return Misused(context, "snapshots", absl::StrCat("snapshots ", name, " takes ", action->takes, "."));
  }
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  if (name == "list") return ListThem(context, args, **client, words.empty() ? "" : words[0]);
  if (name == "create") return CreateOne(context, args, **client, words[0]);
  if (name == "restore") return RestoreOne(context, args, **client, SnapshotName(words[0]), words[1]);
  if (name == "delete") return DeleteOne(context, args, **client, SnapshotName(words[0]));
  if (name == "download") return DownloadOne(context, args, **client, SnapshotName(words[0]), words[1]);
  return UploadOne(context, args, **client, words[0]);
}

}  // namespace

Command SnapshotCommand() {
  return {.name = "snapshots",
          .summary = "take, list, restore, delete and copy snapshots of collections",
          .operands =
              "[list [COLLECTION] | create COLLECTION | restore SNAPSHOT COLLECTION | delete SNAPSHOT | "
              "download SNAPSHOT FILE | upload FILE]",
          .about =
              "A snapshot is a copy of one collection as it was at one moment, kept by the server. A bare number\n"
              "stands for the snapshot with it. A download that broke off goes on when it is started again.\n\n"
              "  sightline snapshots create shop\n"
              "  sightline snapshots restore 3 shop-of-yesterday\n"
              "  sightline snapshots download 3 shop.snapshot\n"
              "  sightline snapshots upload shop.snapshot --address other:50051\n",
          .flags = {{.name = "yes", .short_name = 'y', .kind = FlagKind::kSwitch, .help = "delete: mean it"}},
          .run = RunSnapshot,
          .actions = {"list", "create", "restore", "delete", "download", "upload"},
          .aliases = {"snapshot"}};
}

}  // namespace sightline::cli
