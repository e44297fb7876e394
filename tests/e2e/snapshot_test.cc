// Snapshots over the API: from one server to another while the first one is written to, and everything that can go
// wrong with a transfer.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/e2e/code_tables.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {
namespace {

// Takes a snapshot and waits for it.
absl::StatusOr<v1::Snapshot> TakeSnapshot(client::Client& client, const std::string& collection) {
  SIGHTLINE_ASSIGN_OR_RETURN(const v1::Operation started, client.CreateSnapshot(collection));
  EXPECT_EQ(started.kind(), "snapshot");
  SIGHTLINE_ASSIGN_OR_RETURN(const v1::Operation ended, client.WaitForOperation(started.name(), nullptr));
  v1::Snapshot snapshot;
  EXPECT_TRUE(ended.result().UnpackTo(&snapshot));
  EXPECT_EQ(ended.done(), ended.total());
  return snapshot;
}

absl::Status RestoreAs(client::Client& client, const std::string& snapshot, const std::string& collection) {
  SIGHTLINE_ASSIGN_OR_RETURN(const v1::Operation started, client.RestoreSnapshot(snapshot, collection));
  SIGHTLINE_ASSIGN_OR_RETURN(const v1::Operation ended, client.WaitForOperation(started.name(), nullptr));
  v1::Collection restored;
  EXPECT_TRUE(ended.result().UnpackTo(&restored));
  EXPECT_EQ(restored.name(), collection);
  return absl::OkStatus();
}

// Appends the snapshot's bytes from where `bytes` ends; `break_at` breaks off there.
absl::Status Continue(client::Client& client, const std::string& name, size_t break_at, std::string* bytes) {
  return client.DownloadSnapshot(name, static_cast<int64_t>(bytes->size()),
                                 [&](const v1::DownloadSnapshotResponse& piece) -> absl::Status {
                                   EXPECT_EQ(piece.offset(), static_cast<int64_t>(bytes->size()));
                                   EXPECT_LE(piece.data().size(), 1u << 20);
                                   bytes->append(piece.data());
                                   return bytes->size() >= break_at ? absl::CancelledError("broken") : absl::OkStatus();
                                 });
}

absl::StatusOr<v1::Snapshot> Send(client::Client& client, const std::string& sha256, const std::string& bytes,
                                  size_t piece) {
  size_t sent = 0;
  return client.UploadSnapshot(sha256, [&]() -> absl::StatusOr<std::string> {
    std::string next = bytes.substr(std::min(sent, bytes.size()), piece);
    sent += next.size();
    return next;
  });
}

TEST(SnapshotTest, GoesToAnotherServerWhileTheFirstIsWrittenTo) {
  TempFolder folder, other_folder;
  auto server = *ServerProcess::Start({.folder = folder.path()});
  auto client = *client::Client::Connect({.address = server->address()});
  ASSERT_TRUE(client->CreateCollection(NewCollection("v")).ok());
  // Several pieces' worth, and then a little at a time.
  std::mt19937 random(3);
  int written = 0;
  const auto bulk = client->IndexMany(
      [&]() -> std::optional<v1::IndexRequest> {
        if (written == 600) return std::nullopt;
        v1::IndexRequest request = NewImage(absl::StrCat("bulk", ++written), {0, 0, 1, 0});
        std::string text(7'000, ' ');
        for (char& c : text) c = static_cast<char>('a' + random() % 26);
        (*request.mutable_item()->mutable_attributes())["text"].set_string_value(text);
        return request;
      },
      [](const client::ItemOutcome& outcome) { EXPECT_TRUE(outcome.status.ok()) << outcome.status; });
  ASSERT_TRUE(bulk.ok()) << bulk.status();
  std::atomic<int> acknowledged = 0;
  std::atomic<bool> stop = false;
  const auto values = [](int i) { return std::vector<float>{1, 0.01f * static_cast<float>(i), 0, 0}; };
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      v1::IndexRequest request = NewImage(absl::StrCat("r", i), values(i));
      (*request.mutable_item()->mutable_attributes())["text"].set_string_value(std::string(2000, 'x'));
      if (!client->Index(request).ok()) return;
      acknowledged = i + 1;
    }
  });
  while (acknowledged < 20) std::this_thread::yield();
  const int before = acknowledged;
  const auto snapshot = TakeSnapshot(*client, "v");
  stop = true;
  writer.join();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_GE(snapshot->images(), 600 + before);
  EXPECT_EQ(snapshot->collection(), "v");

  // In three parts, each connection broken off.
  std::string bytes;
  for (const size_t break_at : {size_t{1}, size_t{2} << 20}) {
    EXPECT_EQ(Continue(*client, snapshot->name(), break_at, &bytes).code(), absl::StatusCode::kCancelled);
  }
  ASSERT_TRUE(Continue(*client, snapshot->name(), SIZE_MAX, &bytes).ok());
  std::string whole;
  ASSERT_TRUE(Continue(*client, snapshot->name(), SIZE_MAX, &whole).ok());
  EXPECT_EQ(bytes, whole);

  auto other_server = *ServerProcess::Start({.folder = other_folder.path()});
  auto other = *client::Client::Connect({.address = other_server->address()});
  const auto sent = Send(*other, snapshot->sha256(), bytes, 100'000);
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_EQ(sent->images(), snapshot->images());
  EXPECT_EQ(sent->sha256(), snapshot->sha256());
  ASSERT_TRUE(RestoreAs(*other, sent->name(), "copy").ok());
  // Over a restart of both.
  EXPECT_EQ(server->Terminate(), 0);
  EXPECT_EQ(other_server->Terminate(), 0);
  other_server = *ServerProcess::Start({.folder = other_folder.path()});
  other = *client::Client::Connect({.address = other_server->address()});
  EXPECT_EQ(other->GetCollection("copy")->stats().images(), snapshot->images());
  for (int i = 0; i < before; ++i) {
    v1::GetImageRequest get;
    get.set_collection("copy");
    get.set_id(absl::StrCat("r", i));
    const auto image = other->GetImage(get);
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->attributes().at("text").string_value().size(), 2000u);
  }
  v1::SearchRequest search = NewSearch(values(before / 2));
  search.set_collection("copy");
  search.set_top_k(1);
  const auto found = other->Search(search);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->results(0).id(), absl::StrCat("r", before / 2));
  ASSERT_EQ(other->ListSnapshots()->size(), 1u);
  EXPECT_TRUE(other->DeleteSnapshot(sent->name()).ok());
  EXPECT_TRUE(other->ListSnapshots()->empty());
  EXPECT_EQ(other_server->Terminate(), 0);
}

class SnapshotTransferTest : public ServerFixture {
 protected:
  // The code of an error, which its RPC's table must promise.
  static std::string Code(const char* rpc, const absl::Status& status) {
    static const CodeTables tables = ReadCodeTables(SIGHTLINE_PROTO_FOLDER);
    const std::string code = absl::StatusCodeToString(status.code());
    EXPECT_TRUE(tables.at(rpc).contains(code)) << rpc << ": " << status;
    return code;
  }
  static std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }

  // Sends the pieces as they are.
  static absl::Status Upload(const std::vector<v1::UploadSnapshotRequest>& pieces) {
    grpc::ClientContext context;
    Rpc::SetDeadline(context);
    v1::UploadSnapshotResponse response;
    const auto writer = rpc_->collections->UploadSnapshot(&context, &response);
    for (const auto& piece : pieces) {
      if (!writer->Write(piece)) break;
    }
    writer->WritesDone();
    return Rpc::Decode(writer->Finish());
  }

  static v1::UploadSnapshotRequest Piece(const std::string& sha256, int64_t offset, const std::string& data) {
    v1::UploadSnapshotRequest piece;
    piece.set_sha256(sha256);
    piece.set_offset(offset);
    piece.set_data(data);
    return piece;
  }

  // Waits until nothing is half made: what a caller left behind is cleaned up after the call.
  static void ExpectTidy() {
    const std::string staging = folder_->path() + "/data/staging";
    for (int i = 0; i < 1'000; ++i) {
      if (std::filesystem::is_empty(staging)) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << staging << " is not empty";
  }
};

TEST_F(SnapshotTransferTest, RefusesInWordsThatTheTablesPromise) {
  const auto snapshot = TakeSnapshot(*client_, "v");
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  const std::string& name = snapshot->name();
  EXPECT_EQ(Code("CreateSnapshot", client_->CreateSnapshot("").status()), "INVALID_ARGUMENT");
  EXPECT_EQ(Code("CreateSnapshot", client_->CreateSnapshot("nobody").status()), "NOT_FOUND");
  EXPECT_EQ(Code("ListSnapshots", client_->ListSnapshots("nobody").status()), "NOT_FOUND");
  EXPECT_EQ(Code("DeleteSnapshot", client_->DeleteSnapshot("snapshots/99")), "NOT_FOUND");
  EXPECT_EQ(Code("DeleteSnapshot", client_->DeleteSnapshot("snapshots/../..")), "INVALID_ARGUMENT");
  EXPECT_EQ(Code("DeleteSnapshot", client_->DeleteSnapshot("")), "INVALID_ARGUMENT");
  EXPECT_EQ(Code("RestoreSnapshot", client_->RestoreSnapshot("snapshots/99", "copy").status()), "NOT_FOUND");
  EXPECT_EQ(Code("RestoreSnapshot", client_->RestoreSnapshot(name, "v").status()), "ALREADY_EXISTS");
  EXPECT_EQ(Code("RestoreSnapshot", client_->RestoreSnapshot(name, "../v").status()), "INVALID_ARGUMENT");
  std::string bytes;
  ASSERT_TRUE(Continue(*client_, name, SIZE_MAX, &bytes).ok());
  const auto download = [&](const std::string& of, int64_t offset) {
    return client_->DownloadSnapshot(of, offset, [](const auto&) { return absl::OkStatus(); });
  };
  EXPECT_EQ(Code("DownloadSnapshot", download("snapshots/99", 0)), "NOT_FOUND");
  EXPECT_EQ(Code("DownloadSnapshot", download("", 0)), "INVALID_ARGUMENT");
  EXPECT_EQ(Code("DownloadSnapshot", download(name, -1)), "INVALID_ARGUMENT");
  EXPECT_EQ(Code("DownloadSnapshot", download(name, static_cast<int64_t>(bytes.size()) + 1)), "INVALID_ARGUMENT");
  EXPECT_TRUE(download(name, static_cast<int64_t>(bytes.size())).ok());

  const std::string& sha256 = snapshot->sha256();
  EXPECT_EQ(Code("UploadSnapshot", Upload({})), "INVALID_ARGUMENT");
  EXPECT_EQ(Code("UploadSnapshot", Upload({Piece("", 0, bytes)})), "INVALID_ARGUMENT");
  EXPECT_EQ(Code("UploadSnapshot", Upload({Piece("x", 0, bytes)})), "INVALID_ARGUMENT");
  EXPECT_EQ(Reason(Upload({Piece(sha256, 1, bytes)})), "OFFSET_INVALID");
  EXPECT_EQ(Reason(Upload({Piece(sha256, 0, "SLS"), Piece(std::string(64, 'a'), 3, "TREAM")})), "SHA256_CHANGED");
  EXPECT_EQ(Reason(Upload({Piece(sha256, 0, std::string((1 << 20) + 1, 'x'))})), "PIECE_TOO_LARGE");
  EXPECT_EQ(Code("UploadSnapshot", Upload({Piece(sha256, 0, bytes.substr(0, bytes.size() - 1))})), "DATA_LOSS");
  EXPECT_EQ(Code("UploadSnapshot", Upload({Piece(sha256, 0, bytes + "x")})), "DATA_LOSS");
  EXPECT_EQ(Code("UploadSnapshot", Upload({Piece(std::string(64, 'a'), 0, bytes)})), "DATA_LOSS");
  std::mt19937 random(7);
  for (int i = 0; i < 50; ++i) {
    std::string flipped = bytes;
    flipped[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    Code("UploadSnapshot", Send(*client_, sha256, flipped, 1000).status());
  }
  ExpectTidy();
  EXPECT_EQ(client_->ListSnapshots()->size(), 1u);
  EXPECT_TRUE(client_->DeleteSnapshot(name).ok());
}

TEST_F(SnapshotTransferTest, AnUploadThatBreaksOffLeavesNothing) {
  const auto snapshot = TakeSnapshot(*client_, "v");
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  std::string bytes;
  ASSERT_TRUE(Continue(*client_, snapshot->name(), SIZE_MAX, &bytes).ok());
  for (const size_t share : {1u, 2u, 3u}) {
    grpc::ClientContext context;
    v1::UploadSnapshotResponse response;
    const auto writer = rpc_->collections->UploadSnapshot(&context, &response);
    writer->Write(Piece(snapshot->sha256(), 0, bytes.substr(0, bytes.size() * share / 4)));
    context.TryCancel();
    writer->Finish();
  }
  ExpectTidy();
  EXPECT_EQ(client_->ListSnapshots("v")->size(), 1u);
  EXPECT_TRUE(client_->DeleteSnapshot(snapshot->name()).ok());
}

TEST(SnapshotDrainTest, TransfersThatWaitForTheirCallersDoNotHoldUpTheEnd) {
  TempFolder folder;
  const auto server = *ServerProcess::Start({.folder = folder.path(), .flags = {"--drain_grace=20s"}});
  const Rpc rpc(server->address());
  grpc::ClientContext context;
  Rpc::SetDeadline(context);
  v1::UploadSnapshotResponse response;
  const auto writer = rpc.collections->UploadSnapshot(&context, &response);
  v1::UploadSnapshotRequest piece;
  piece.set_sha256(std::string(64, 'a'));
  piece.set_data("SLSTREAM");
  ASSERT_TRUE(writer->Write(piece));
  // A call that is answered shows that the upload before it has arrived.
  EXPECT_TRUE(Call(*rpc.server, &v1::ServerService::Stub::GetServerInfo, v1::GetServerInfoRequest()).ok());
  const auto began = std::chrono::steady_clock::now();
  server->AskToEnd();
  EXPECT_EQ(server->WaitForEnd(), 0) << server->Log();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(15));
  EXPECT_EQ(Rpc::Decode(writer->Finish()).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace sightline::testing
