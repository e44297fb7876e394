// Callers that send slowly, or nothing, or take nothing, or open streams only to reset them.
#include "tests/robustness/load_fixture.h"
#include "tests/support/raw_http2.h"
#include "tests/support/seed.h"

namespace sightline::testing {
namespace {

using std::chrono::milliseconds;

constexpr char kSearch[] = "/sightline.v1.SearchService/Search";
constexpr char kSearchStream[] = "/sightline.v1.SearchService/SearchStream";
constexpr char kGetImage[] = "/sightline.v1.IndexService/GetImage";

class ConnectionsTest : public LoadFixture {
 protected:
  RawHttp2 Open() {
    auto connection = RawHttp2::Open(server_->grpc_port());
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *std::move(connection);
  }

  void ResetStreams(std::vector<std::string> flags) {
    Start(std::move(flags));
    EXPECT_TRUE(Search().ok());
    const int64_t before = server_->ResidentBytes();
    int64_t most = 0;
    std::vector<RawHttp2> connections;
    const std::string message = RawHttp2::Message("x");
    // A method, one that is none, and what needs no key.
    for (const char* path : {kSearch, "/no.such.Service/Method", "/grpc.health.v1.Health/Check",
                             "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", kSearchStream}) {
      connections.push_back(Open());
      ASSERT_TRUE(connections.back().Send(RawHttp2::Preface()));
      std::string bytes;
      for (uint32_t i = 0; i < 10'000; ++i) {
        const uint32_t id = 1 + 2 * i;
        absl::StrAppend(&bytes, RawHttp2::Headers(id, path), i % 2 ? RawHttp2::Data(id, message, true) : "",
                        RawHttp2::Reset(id));
      }
      connections.back().Send(bytes);
      for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(Search().ok()) << "who was there is served on";
        most = std::max(most, server_->ResidentBytes());
      }
    }
    // On a busy machine the last of them may be through before anybody has looked.
    EXPECT_GE(server_->Metric("sightline_rejected_total{reason=\"resets\"}"), 1);
    Rpc newcomer(server_->address());
    grpc::ClientContext context;
    Rpc::SetDeadline(context);
    v1::SearchResponse reply;
    EXPECT_TRUE(newcomer.search->Search(&context, NewSearch(1), &reply).ok());
    ExpectNothingLeft();
    // All of them at once are 500 MB.
    EXPECT_LE(most - before, int64_t{300} << 20);
  }
};

TEST_F(ConnectionsTest, SlowAndSilentConnectionsAreClosedAndOthersServed) {
  Start({"--connection_handshake=1s", "--connection_idle=2s"});
  std::vector<RawHttp2> connections;
  for (int i = 0; i < 100; ++i) {
    connections.push_back(Open());
    // Nothing; half of the first words; all of them, and then nothing.
    const std::string preface = RawHttp2::Preface();
    connections.back().Send(preface.substr(0, i % 3 == 0 ? 0 : i % 3 == 1 ? 10 : preface.size()));
  }
  EXPECT_TRUE(Search().ok());
  for (RawHttp2& connection : connections) EXPECT_TRUE(connection.WaitUntilClosed(absl::Seconds(15)));
  EXPECT_TRUE(Search().ok());
}

TEST_F(ConnectionsTest, CallsThatNeverComeWholeTakeNoPlace) {
  Start();
  std::vector<RawHttp2> connections;
  for (int c = 0; c < 5; ++c) {
    connections.push_back(Open());
    std::string bytes = RawHttp2::Preface();
    const std::string half = RawHttp2::Message(std::string(1000, 'x')).substr(0, 500);
    for (uint32_t i = 0; i < 40; ++i) {
      absl::StrAppend(&bytes, RawHttp2::Headers(1 + 2 * i, kSearch), RawHttp2::Data(1 + 2 * i, half, false));
    }
    EXPECT_TRUE(connections.back().Send(bytes));
  }
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Search().ok());
  EXPECT_EQ(server_->Metric("sightline_requests_in_flight"), 0);
  for (RawHttp2& connection : connections) connection.Abort();
  ExpectNothingLeft();
}

TEST_F(ConnectionsTest, AStreamWithoutAnythingOnItEnds) {
  Start({"--stream_idle=500ms"});
  Rpc other(server_->address());
  grpc::ClientContext context, busy_context;
  const auto silent = rpc().index->IndexStream(&context);
  const auto busy = other.search->SearchStream(&busy_context);
  for (int i = 0; i < 10; ++i) {
    v1::SearchStreamRequest item;
    *item.mutable_request() = NewSearch(1);
    ASSERT_TRUE(busy->Write(item));
    v1::SearchStreamResponse response;
    ASSERT_TRUE(busy->Read(&response));
    std::this_thread::sleep_for(milliseconds(100));
  }
  v1::IndexStreamResponse nothing;
  EXPECT_FALSE(silent->Read(&nothing));
  const absl::Status status = Rpc::Decode(silent->Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Reason(status), "STREAM_IDLE");
  busy->WritesDone();
  EXPECT_TRUE(busy->Finish().ok()) << "one that is used goes on";
  ExpectNothingLeft();
}

TEST_F(ConnectionsTest, RepliesThatNobodyTakesAreBounded) {
  // The smallest that may be set; a reply with vectors is a few kilobytes.
  Start({"--max_message_bytes=65536", "--max_image_bytes=65536", "--grpc_memory=65536"});
  v1::GetImageRequest get;
  get.set_collection(kCollection);
  get.set_id("picture-1");
  get.set_view(v1::IMAGE_VIEW_VECTORS);
  ASSERT_TRUE(Call(*rpc().index, &v1::IndexService::Stub::GetImage, get).ok());
  const std::string message = RawHttp2::Message(get.SerializeAsString());
  std::vector<RawHttp2> connections;
  absl::Status refused;
  for (int c = 0; c < 20 && refused.ok(); ++c) {
    connections.push_back(Open());
    std::string bytes = RawHttp2::Preface(/*window=*/0);
    for (uint32_t i = 0; i < 10; ++i) {
      absl::StrAppend(&bytes, RawHttp2::Headers(1 + 2 * i, kGetImage), RawHttp2::Data(1 + 2 * i, message, true));
    }
    ASSERT_TRUE(connections.back().Send(bytes));
    std::this_thread::sleep_for(milliseconds(50));
    refused = Search();
  }
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_EQ(Reason(refused), "REPLIES_NOT_TAKEN");
  EXPECT_TRUE(base::GetErrorInfo(refused).retry_after.has_value());
  connections.clear();
  ExpectNothingLeft();
}

TEST_F(ConnectionsTest, RepliesOfStreamsThatNobodyTakesAreBounded) {
  Start({"--max_message_bytes=65536", "--max_image_bytes=65536", "--grpc_memory=65536"});
  v1::SearchStreamRequest item;
  item.mutable_request()->set_collection(kCollection);
  item.mutable_request()->set_request_id("any");
  item.mutable_request()->mutable_query()->add_parts()->set_id("picture-1");
  const std::string message = RawHttp2::Message(item.SerializeAsString());
  std::string messages;
  for (int i = 0; i < 64; ++i) messages += message;
  std::vector<RawHttp2> connections;
  absl::Status refused;
  for (int c = 0; c < 20 && refused.ok(); ++c) {
    connections.push_back(Open());
    std::string bytes = RawHttp2::Preface(/*window=*/0);
    for (uint32_t i = 0; i < 10; ++i) {
      absl::StrAppend(&bytes, RawHttp2::Headers(1 + 2 * i, kSearchStream), RawHttp2::Data(1 + 2 * i, messages, false));
    }
    connections.back().Send(bytes);
    std::this_thread::sleep_for(milliseconds(50));
    refused = Search();
  }
  EXPECT_EQ(Reason(refused), "REPLIES_NOT_TAKEN") << refused;
  for (RawHttp2& connection : connections) connection.Abort();
  ExpectNothingLeft();
}

TEST_F(ConnectionsTest, WithoutFilesThoseWhoAreThereAreServedAndOthersLater) {
  constexpr int kFiles = 256;
  Start({}, kFiles);
  std::vector<RawHttp2> connections;
  for (int i = 0; i < 2 * kFiles; ++i) connections.push_back(Open());
  // The system takes connections that the server has not seen yet; it has seen all once it refuses the last one.
  EXPECT_TRUE(connections.back().WaitUntilClosed(absl::Seconds(15)));
  EXPECT_GT(server_->Metric("sightline_rejected_total{reason=\"connections\"}"), 0);
  EXPECT_TRUE(Search().ok());
  v1::CreateCollectionRequest create;
  create.set_name("meanwhile");
  create.set_model("dtop_seeded");
  EXPECT_TRUE(Call(*rpc().collections, &v1::CollectionService::Stub::CreateCollection, create).ok())
      << "some are left for the server's own files";
  // Those, too: the addresses of HTTP have a limit of their own, above what is left.
  std::vector<RawHttp2> others;
  for (int i = 0; i < kFiles; ++i) {
    auto other = RawHttp2::Open(server_->http_port());
    if (!other.ok()) break;
    others.push_back(*std::move(other));
  }
  EXPECT_TRUE(Search().ok());
  connections.clear();
  others.clear();
  absl::Status again;
  for (int i = 0; i < 100; ++i) {
    const Rpc newcomer(server_->address());
    again = Call(*newcomer.search, &v1::SearchService::Stub::Search, NewSearch(1));
    if (again.ok()) break;
    std::this_thread::sleep_for(milliseconds(100));
  }
  EXPECT_TRUE(again.ok()) << again;
  EXPECT_TRUE(Write("after", 3).ok());
  ExpectNothingLeft();
}

TEST_F(ConnectionsTest, OneAddressHoldsNoMoreThanItsShare) {
  constexpr int kShare = 20;
  Start({"--max_connections=1000", absl::StrCat("--max_connections_per_address=", kShare)});
  std::vector<RawHttp2> connections;
  for (int i = 0; i < 2 * kShare; ++i) connections.push_back(Open());
  // Those that came too late, with the four of the test's own before them.
  EXPECT_TRUE(connections.back().WaitUntilClosed(absl::Seconds(15)));
  EXPECT_GT(server_->Metric("sightline_rejected_total{reason=\"connections_of_address\"}"), 0);
  EXPECT_EQ(server_->Metric("sightline_rejected_total{reason=\"connections\"}"), 0);
  EXPECT_EQ(server_->Metric("sightline_connections{listener=\"main\"}"), kShare);
  EXPECT_FALSE(connections.front().Closed()) << "those who are there stay";
  EXPECT_TRUE(Search().ok());
  connections.clear();
  absl::Status again;
  for (int i = 0; i < 100; ++i) {
    const Rpc newcomer(server_->address());
    again = Call(*newcomer.search, &v1::SearchService::Stub::Search, NewSearch(1));
    if (again.ok()) break;
    std::this_thread::sleep_for(milliseconds(100));
  }
  EXPECT_TRUE(again.ok()) << "there is room once they have gone: " << again;
  ExpectNothingLeft();
}

// Connections that stay, for what the server has not read of one that is gone costs it nothing. Without HTTP one thread
// less looks at connections, so that calls pile up behind what it reads; with it the queues may keep up.
TEST_F(ConnectionsTest, StreamsThatAreResetAtOnceHarmNobody) { ResetStreams({}); }
TEST_F(ConnectionsTest, StreamsThatAreResetFasterThanTheyAreHeardOfHarmNobody) { ResetStreams({"--http_listen="}); }

TEST_F(ConnectionsTest, NoiseAndLargeMetadataHarmNobody) {
  Start();
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 50; ++i) {
    RawHttp2 connection = Open();
    std::string noise = i % 2 ? RawHttp2::Preface() : "";
    for (int j = 0; j < 500; ++j) noise.push_back(static_cast<char>(random()));
    connection.Send(noise);
  }
  // By a connection of its own, which gRPC may close for it.
  Rpc other(server_->address());
  grpc::ClientContext context;
  Rpc::SetDeadline(context);
  context.AddMetadata("x-large", std::string(100'000, 'x'));
  v1::SearchResponse reply;
  EXPECT_FALSE(other.search->Search(&context, NewSearch(1), &reply).ok());
  ExpectNothingLeft();
}

}  // namespace
}  // namespace sightline::testing
