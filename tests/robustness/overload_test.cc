// More work than the server can do: what is refused is refused well, and nothing stays behind.
#include <algorithm>
#include <array>
#include <atomic>

#include "tests/robustness/load_fixture.h"
#include "tests/support/seed.h"

namespace sightline::testing {
namespace {

constexpr int kMinute = 60'000;

class OverloadTest : public LoadFixture {
 protected:
  static Cancel Never(int) { return Cancel::kNever; }
};

TEST_F(OverloadTest, ShedsWithACodeAReasonAndADelay) {
  Start({"--max_batch=2", "--max_queue_delay=5ms"});
  int answered = 0, shed = 0;
  for (int round = 0; round < 3; ++round) {
    for (const absl::Status& status : SearchAll(
             200, [](int) { return kMinute; }, Never)) {
      if (status.ok()) {
        ++answered;
        continue;
      }
      ++shed;
      ASSERT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
      const base::ErrorInfo info = base::GetErrorInfo(status);
      EXPECT_TRUE(info.reason == "MODEL_QUEUE_FULL" || info.reason == "DECODE_QUEUE_FULL" ||
                  info.reason == "WORK_QUEUE_FULL")
          << status;
      ASSERT_TRUE(info.retry_after.has_value()) << status;
      EXPECT_GE(*info.retry_after, absl::Milliseconds(50));
      EXPECT_LE(*info.retry_after, absl::Seconds(30));
    }
  }
  EXPECT_GT(answered, 0);
  EXPECT_GT(shed, 0);
  double counted = 0;
  for (const char* reason : {"model_queue", "decode_queue", "search_queue"}) {
    counted += server_->Metric(absl::StrCat("sightline_rejected_total{reason=\"", reason, "\"}"));
  }
  EXPECT_EQ(counted, shed);
  ExpectNothingLeft();
}

TEST_F(OverloadTest, WhoHasNoPlaceIsToldSo) {
  Start({"--max_in_flight=2"});
  int refused = 0;
  for (const absl::Status& status : SearchAll(
           200, [](int) { return kMinute; }, Never)) {
    if (status.ok()) continue;
    ++refused;
    EXPECT_EQ(Reason(status), "TOO_MANY_REQUESTS") << status;
    EXPECT_TRUE(base::GetErrorInfo(status).retry_after.has_value()) << status;
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(server_->Metric("sightline_rejected_total{reason=\"in_flight\"}"), refused);
  ExpectNothingLeft();
}

TEST_F(OverloadTest, AStormOfShortDeadlinesLeavesNothingBehind) {
  Start();
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> deadline(1, 50);
  for (int round = 0; round < 5; ++round) {
    for (const absl::Status& status : SearchAll(
             300, [&](int) { return deadline(random); }, Never)) {
      if (status.ok()) continue;
      EXPECT_TRUE(absl::IsDeadlineExceeded(status) || absl::IsResourceExhausted(status)) << status;
    }
  }
  ExpectNothingLeft();
  EXPECT_EQ(server_->Metric("sightline_rejected_total{reason=\"resets\"}"), 0) << "a hurry is no attack";
  EXPECT_GT(server_->Metric("sightline_model_seconds_total"), 0);
  EXPECT_LE(server_->Metric("sightline_wasted_model_seconds_total"), server_->Metric("sightline_model_seconds_total"));
}

TEST_F(OverloadTest, AStormOfCancellationsLeavesNothingBehind) {
  Start();
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 4; ++round) {
    std::vector<Cancel> choices;
    for (int i = 0; i < 150; ++i) {
      choices.push_back(
          std::array{Cancel::kSoon, Cancel::kWithTheAnswer, Cancel::kNever, Cancel::kNever}[random() % 4]);
    }
    const auto answers = SearchAll(
        150, [](int) { return kMinute; }, [&](int i) { return choices[static_cast<size_t>(i)]; });
    for (size_t i = 0; i < answers.size(); ++i) {
      // To a client, a call that it has cancelled itself looks like one that the server has dropped.
      const bool gone = choices[i] != Cancel::kNever && Reason(answers[i]) == "CALL_DROPPED";
      EXPECT_TRUE(gone || answers[i].ok() || absl::IsResourceExhausted(answers[i])) << answers[i];
    }
  }
  ExpectNothingLeft();
  EXPECT_EQ(server_->Metric("sightline_rejected_total{reason=\"resets\"}"), 0) << "a hurry is no attack";
}

// Streams of writes fill every queue they may; searches pass them, and the writes still get on.
TEST_F(OverloadTest, SearchesAndWritesOfStreamsDoNotStarveEachOther) {
  Start({"--max_queue=64", "--max_stream_in_flight=4"});
  std::atomic<bool> stop = false;
  std::atomic<int> written = 0;
  std::vector<std::thread> streams;
  for (int s = 0; s < 2; ++s) {
    streams.emplace_back([&, s] {
      Rpc own(server_->address());
      grpc::ClientContext context;
      const auto stream = own.index->IndexStream(&context);
      std::atomic<int> answered = 0;
      std::thread reader([&] {
        v1::IndexStreamResponse response;
        while (stream->Read(&response)) {
          written += response.has_response() ? 1 : 0;
          ++answered;
        }
      });
      constexpr int kAhead = 32;  // more than the server takes of a stream; the rest would only wait in buffers
      for (int i = 0; !stop; ++i) {
        while (!stop && i - answered > kAhead) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        v1::IndexStreamRequest item;
        *item.mutable_request() = NewWrite(absl::StrCat("s", s, "-", i % 500), static_cast<unsigned>(i % 8));
        item.mutable_request()->set_request_id(absl::StrCat(s, "-", i));
        if (!stream->Write(item)) break;
      }
      stream->WritesDone();
      reader.join();
      EXPECT_TRUE(stream->Finish().ok());
    });
  }
  // What follows fails in words where this was in vain.
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (written < 3 && std::chrono::steady_clock::now() < patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  constexpr int kSearches = 10;
  int found = 0;
  const int before = written;
  for (int i = 0; i < kSearches; ++i) found += Search(static_cast<unsigned>(i % 4)).ok() ? 1 : 0;
  const int meanwhile = written - before;
  stop = true;
  for (std::thread& stream : streams) stream.join();
  EXPECT_EQ(found, kSearches) << "no search is refused for writes that can wait";
  EXPECT_GT(meanwhile, 0) << "and searches do not stop the writes";
  ExpectNothingLeft();
}

// Flow control holds back what would take the memory, and nothing is refused for it.
TEST_F(OverloadTest, AStreamOfLargeImagesIsReadNoFasterThanMemoryAllows) {
  constexpr size_t kBytes = 3 << 19;
  Start({"--max_image_bytes=2097152", "--max_message_bytes=2097152", "--grpc_memory=25165824"});
  // Half of that memory is for streams: eight such images begin within it. gRPC ends a stream itself where the other
  // half does not do for what it reads.
  constexpr double kMostInHand = 8;
  constexpr int kImages = 60;
  grpc::ClientContext context;
  const auto stream = rpc().index->IndexStream(&context);
  std::thread writer([&] {
    for (int i = 0; i < kImages; ++i) {
      v1::IndexStreamRequest item;
      *item.mutable_request() = NewWrite(absl::StrCat("large-", i), static_cast<unsigned>(i));
      item.mutable_request()->set_request_id(absl::StrCat(i));
      item.mutable_request()->mutable_item()->mutable_image()->resize(kBytes);  // what follows a JPEG's end is ignored
      if (!stream->Write(item)) break;
    }
    stream->WritesDone();
  });
  double most = 0;
  int written = 0;
  v1::IndexStreamResponse response;
  while (stream->Read(&response)) {
    EXPECT_TRUE(response.has_response()) << response.status().message();
    ++written;
    most = std::max(most, server_->Metric("sightline_requests_in_flight"));
  }
  writer.join();
  const grpc::Status ended = stream->Finish();
  EXPECT_TRUE(ended.ok()) << ended.error_message();
  EXPECT_EQ(written, kImages);
  EXPECT_LE(most, kMostInHand);
  ExpectNothingLeft();
}

}  // namespace
}  // namespace sightline::testing
