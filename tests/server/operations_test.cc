#include "server/operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "google/rpc/error_details.pb.h"
#include "server/operations_file.h"
#include "sightline/v1/collection_service.pb.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace sightline::server {
namespace {

using ::testing::ElementsAre;
using testing::FakeClock;
using testing::TempFolder;
using Op = v1::Operation;

std::string ReasonOf(const Op& operation) {
  google::rpc::ErrorInfo info;
  return operation.error().details_size() > 0 && operation.error().details(0).UnpackTo(&info) ? info.reason() : "";
}

// Work that reports 0 of 10 and waits to be told how to end.
class HeldWork {
 public:
  Operations::Work work() {
    return [this](const index::Progress& progress) -> absl::StatusOr<google::protobuf::Any> {
      bool go_on = progress(0, 10);
      base::MutexLock lock(mutex_);
      ++entered_;
      changed_.NotifyAll();
      while (!released_ && go_on) {
        changed_.WaitUntil(mutex_, std::chrono::steady_clock::now() + std::chrono::milliseconds(1));
        go_on = progress(done_, 10);
      }
      if (!go_on) return absl::CancelledError("stopped");
      v1::FindDuplicatesResult result;
      result.set_images(7);
      return Packed(result);
    };
  }
  void WaitUntilEntered(int count = 1) {
    base::MutexLock lock(mutex_);
    while (entered_ < count) changed_.Wait(mutex_);
  }
  void SetDone(int64_t done) {
    base::MutexLock lock(mutex_);
    done_ = done;
  }
  void Release() {
    base::MutexLock lock(mutex_);
    released_ = true;
    changed_.NotifyAll();
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  int entered_ = 0;
  int64_t done_ = 0;
  bool released_ = false;
};

class OperationsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Operations> Open() {
    options_.directory = folder_.path();
    options_.clock = &clock_;
    auto operations = Operations::Open(options_);
    EXPECT_TRUE(operations.ok()) << operations.status();
    if (operations.ok()) (*operations)->Resume();
    return *std::move(operations);
  }

  static Op Wait(const Operations& operations, const std::string& name, const std::function<bool(const Op&)>& enough) {
    for (int i = 0; i < 20'000; ++i) {
      const auto operation = operations.Get(name);
      if (!operation.ok() || enough(*operation)) return operation.value_or(Op());
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ADD_FAILURE() << name << " did not come so far";
    return {};
  }
  static Op WaitForEnd(const Operations& operations, const std::string& name) {
    return Wait(operations, name,
                [](const Op& o) { return o.state() != Op::STATE_PENDING && o.state() != Op::STATE_RUNNING; });
  }
  static std::vector<std::string> Names(const Operations::Page& page) {
    std::vector<std::string> names;
    for (const Op& operation : page.operations) names.push_back(operation.name());
    return names;
  }
  // Runs `work` to its end and returns the operation's name.
  std::string Do(Operations& operations, const std::string& collection = "shop") {
    const auto started = operations.Start("snapshot", collection, [](const index::Progress&) {
      return absl::StatusOr<google::protobuf::Any>(google::protobuf::Any());
    });
    EXPECT_TRUE(started.ok()) << started.status();
    WaitForEnd(operations, started->name());
    return started->name();
  }
  std::string path() const { return folder_.Path("operations"); }

  TempFolder folder_;
  FakeClock clock_;
  Operations::Options options_;
};

TEST_F(OperationsTest, RunsAndKeepsTheResultOverARestart) {
  Op ended;
  {
    auto operations = Open();
    HeldWork held;
    const auto started = operations->Start("find-duplicates", "shop", held.work());
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_EQ(started->name(), "operations/1");
    EXPECT_EQ(started->kind(), "find-duplicates");
    EXPECT_EQ(started->collection(), "shop");
    EXPECT_EQ(started->create_time().seconds(), absl::ToUnixSeconds(clock_.Now()));
    held.WaitUntilEntered();
    EXPECT_EQ(operations->Get("operations/1")->state(), Op::STATE_RUNNING);
    clock_.Advance(absl::Seconds(5));
    held.Release();
    ended = WaitForEnd(*operations, "operations/1");
    EXPECT_EQ(ended.state(), Op::STATE_SUCCEEDED);
    EXPECT_EQ(ended.done(), 10);
    EXPECT_EQ(ended.total(), 10);
    EXPECT_FALSE(ended.has_error());
    EXPECT_EQ(ended.end_time().seconds() - ended.create_time().seconds(), 5);
    v1::FindDuplicatesResult result;
    ASSERT_TRUE(ended.result().UnpackTo(&result));
    EXPECT_EQ(result.images(), 7);
  }
  auto again = Open();
  const auto read = again->Get("operations/1");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), ended.SerializeAsString());
  EXPECT_EQ(Do(*again), "operations/2") << "numbers go on";
}

TEST_F(OperationsTest, FailureKeepsReasonAndSentences) {
  auto operations = Open();
  const auto started = operations->Start("restore", "shop", [](const index::Progress&) {
    return absl::StatusOr<google::protobuf::Any>(base::NotFound("SNAPSHOT_NOT_FOUND", "no such one. List them."));
  });
  const Op ended = WaitForEnd(*operations, started->name());
  EXPECT_EQ(ended.state(), Op::STATE_FAILED);
  EXPECT_EQ(ended.error().code(), static_cast<int>(absl::StatusCode::kNotFound));
  EXPECT_EQ(ended.error().message(), "no such one. List them.");
  EXPECT_EQ(ReasonOf(ended), "SNAPSHOT_NOT_FOUND");
}

TEST_F(OperationsTest, ResultBeyondTheLimitIsAFailure) {
  auto operations = Open();
  const auto started = operations->Start("find-duplicates", "shop", [](const index::Progress&) {
    v1::FindDuplicatesResult result;
    result.add_groups()->add_ids(std::string(1 << 20, 'x'));
    return absl::StatusOr<google::protobuf::Any>(Packed(result));
  });
  EXPECT_EQ(ReasonOf(WaitForEnd(*operations, started->name())), "RESULT_TOO_LARGE");
}

TEST_F(OperationsTest, EstimatesTheEndFromProgress) {
  auto operations = Open();
  HeldWork held;
  const std::string name = operations->Start("optimize", "shop", held.work())->name();
  held.WaitUntilEntered();
  EXPECT_FALSE(operations->Get(name)->has_estimated_end_time()) << "nothing is done yet";
  clock_.Advance(absl::Seconds(20));
  held.SetDone(2);
  const Op running = Wait(*operations, name, [](const Op& o) { return o.done() == 2; });
  const int64_t now = absl::ToUnixSeconds(clock_.Now());
  EXPECT_EQ(running.estimated_end_time().seconds() - now, 80);
  held.Release();
  EXPECT_FALSE(WaitForEnd(*operations, name).has_estimated_end_time());
}

TEST_F(OperationsTest, CancelStopsWhatRunsAndWhatWaits) {
  options_.threads = 1;
  HeldWork held;
  auto operations = Open();
  const std::string running = operations->Start("optimize", "shop", held.work())->name();
  held.WaitUntilEntered();
  const std::string waiting = operations->Start("optimize", "shop", held.work())->name();
  EXPECT_EQ(operations->Cancel(waiting)->state(), Op::STATE_CANCELLED);
  EXPECT_EQ(operations->Get(running)->state(), Op::STATE_RUNNING);
  ASSERT_TRUE(operations->Cancel(running).ok());
  EXPECT_EQ(WaitForEnd(*operations, running).state(), Op::STATE_CANCELLED);
  EXPECT_EQ(operations->Cancel(running)->state(), Op::STATE_CANCELLED) << "again does no harm";
  const auto counts = operations->CountByState();
  EXPECT_EQ(counts.at(Op::STATE_CANCELLED), 2);
  EXPECT_EQ(counts.at(Op::STATE_RUNNING), 0);
  operations.reset();
  EXPECT_EQ(Open()->Get(waiting)->state(), Op::STATE_CANCELLED) << "it did not run after all";
}

TEST_F(OperationsTest, CancelOfWhatHasEndedChangesNothing) {
  auto operations = Open();
  const std::string name = Do(*operations);
  EXPECT_EQ(operations->Cancel(name)->state(), Op::STATE_SUCCEEDED);
}

TEST_F(OperationsTest, RefusesBeyondWhatMayWait) {
  options_.threads = 1;
  options_.max_waiting = 2;
  HeldWork held;
  auto operations = Open();
  ASSERT_TRUE(operations->Start("optimize", "shop", held.work()).ok());
  held.WaitUntilEntered();
  ASSERT_TRUE(operations->Start("optimize", "shop", held.work()).ok());
  ASSERT_TRUE(operations->Start("optimize", "shop", held.work()).ok());
  const auto refused = operations->Start("optimize", "shop", held.work());
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status())) << refused.status();
  EXPECT_EQ(base::GetErrorInfo(refused.status()).reason, "OPERATIONS_QUEUE_FULL");
  EXPECT_TRUE(base::GetErrorInfo(refused.status()).retry_after.has_value());
  EXPECT_EQ(operations->List(10, "", "")->operations.size(), 3u) << "what is refused leaves nothing";
  held.Release();
}

TEST_F(OperationsTest, InterruptedWorkIsShownAsFailed) {
  for (const bool gracefully : {true, false}) {
    SCOPED_TRACE(gracefully);
    HeldWork held;
    std::string name, file;
    {
      auto operations = Open();
      name = operations->Start("snapshot", "shop", held.work())->name();
      held.WaitUntilEntered();
      file = *base::ReadFile(path(), 1 << 20);
      if (!gracefully) held.Release();
      operations->Drain();
      EXPECT_TRUE(absl::IsUnavailable(operations->Start("snapshot", "shop", held.work()).status()));
    }
    // A crash leaves the file as it was while the work ran.
    if (!gracefully) {
      ASSERT_TRUE(base::WriteFileDurably(path(), file).ok());
    }
    const Op shown = *Open()->Get(name);
    EXPECT_EQ(shown.state(), Op::STATE_FAILED);
    EXPECT_EQ(ReasonOf(shown), "INTERRUPTED");
    EXPECT_EQ(shown.error().message(), "the server stopped while it ran. Start it again.");
    EXPECT_TRUE(shown.has_end_time());
  }
}

TEST_F(OperationsTest, RepeatableWorkStartsAgainWithItsRequest) {
  HeldWork held;
  options_.repeatable["optimize"] = [&](const std::string& collection, const google::protobuf::Any& any) {
    v1::OptimizeCollectionRequest request;
    EXPECT_TRUE(any.UnpackTo(&request));
    EXPECT_EQ(request.name(), "alias");
    EXPECT_EQ(collection, "shop");
    return held.work();
  };
  v1::OptimizeCollectionRequest request;
  request.set_name("alias");
  std::string name;
  {
    auto operations = Open();
    name = operations->StartRepeatable("optimize", "shop", request)->name();
    held.WaitUntilEntered(1);
  }
  {
    auto operations = Open();
    held.WaitUntilEntered(2);
    EXPECT_EQ(operations->Get(name)->state(), Op::STATE_RUNNING);
    held.Release();
    EXPECT_EQ(WaitForEnd(*operations, name).state(), Op::STATE_SUCCEEDED);
  }
  Open();
  SUCCEED() << "what has ended is not repeated: the factory would find no request";
}

TEST_F(OperationsTest, ListsNewestFirstInPages) {
  auto operations = Open();
  for (int i = 0; i < 5; ++i) Do(*operations, i % 2 == 0 ? "even" : "odd");
  auto page = *operations->List(2, "", "");
  EXPECT_THAT(Names(page), ElementsAre("operations/5", "operations/4"));
  const std::string late = Do(*operations, "even");
  page = *operations->List(2, page.next_page_token, "");
  EXPECT_THAT(Names(page), ElementsAre("operations/3", "operations/2")) << late << " does not move the pages";
  page = *operations->List(2, page.next_page_token, "");
  EXPECT_THAT(Names(page), ElementsAre("operations/1"));
  EXPECT_EQ(page.next_page_token, "");
  EXPECT_THAT(Names(*operations->List(9, "", "odd")), ElementsAre("operations/4", "operations/2"));
  EXPECT_EQ(operations->List(2, "", "odd")->next_page_token, "") << "a full last page ends the list";
  for (const char* token : {"garbage", "before:", "before:-1", "before:99999999999999999999", "after:1"}) {
    EXPECT_EQ(base::GetErrorInfo(operations->List(2, token, "").status()).reason, "PAGE_TOKEN_INVALID") << token;
  }
}

TEST_F(OperationsTest, NamesThatAreNone) {
  auto operations = Open();
  Do(*operations);
  for (const char* name : {"", "1", "operations/", "operations/0", "operations/01", "operations/+1", "operations/ 1",
                           "operations/-1", "operations/1/", "operations/18446744073709551616"}) {
    EXPECT_EQ(base::GetErrorInfo(operations->Get(name).status()).reason, "OPERATION_NAME_INVALID") << name;
    EXPECT_EQ(base::GetErrorInfo(operations->Cancel(name).status()).reason, "OPERATION_NAME_INVALID") << name;
  }
  EXPECT_TRUE(absl::IsNotFound(operations->Get("operations/2").status()));
  EXPECT_TRUE(absl::IsNotFound(operations->Cancel("operations/18446744073709551615").status()));
}

TEST_F(OperationsTest, ForgetsTheOldestOfTooManyAndTheTooOld) {
  options_.max_ended = 3;
  auto operations = Open();
  for (int i = 0; i < 5; ++i) Do(*operations);
  EXPECT_THAT(Names(*operations->List(9, "", "")), ElementsAre("operations/5", "operations/4", "operations/3"));
  clock_.Advance(options_.keep_ended + absl::Seconds(2));
  EXPECT_TRUE(operations->List(9, "", "")->operations.empty());
  EXPECT_TRUE(absl::IsNotFound(operations->Get("operations/5").status()));
  EXPECT_EQ(operations->CountByState().at(Op::STATE_SUCCEEDED), 0);
  Do(*operations);
  EXPECT_THAT(Names(*operations->List(9, "", "")), ElementsAre("operations/6"));
  operations.reset();
  EXPECT_THAT(Names(*Open()->List(9, "", "")), ElementsAre("operations/6"));
}

TEST_F(OperationsTest, AnyDamageIsSetAsideByName) {
  Do(*Open());
  const std::string good = *base::ReadFile(path(), 1 << 20);
  std::vector<std::string> bad = {"", "x", good.substr(0, good.size() - 1), good + "x"};
  for (size_t i = 0; i < good.size(); ++i) {
    bad.push_back(good);
    bad.back()[i] = static_cast<char>(bad.back()[i] ^ 0x10);
  }
  for (const std::string& bytes : bad) {
    if (bytes.size() > 8 && bytes[8] != good[8]) continue;  // another version: below
    EXPECT_FALSE(DecodeOperations(bytes).ok());
  }
  ASSERT_TRUE(base::WriteFileDurably(path(), bad.back()).ok());
  auto operations = Open();
  EXPECT_TRUE(absl::StartsWith(operations->set_aside(), path() + ".damaged-")) << operations->set_aside();
  EXPECT_EQ(*base::ReadFile(operations->set_aside(), 1 << 20), bad.back());
  EXPECT_TRUE(operations->List(9, "", "")->operations.empty());
  const std::string name = Do(*operations);
  EXPECT_GT(OperationNumber(name), 1'000'000u) << "no number is given twice";
}

TEST_F(OperationsTest, ALaterVersionIsLeftAlone) {
  Do(*Open());
  std::string bytes = *base::ReadFile(path(), 1 << 20);
  bytes[8] = 2;
  ASSERT_TRUE(base::WriteFileDurably(path(), bytes).ok());
  const auto refused = Operations::Open(options_);
  EXPECT_EQ(base::GetErrorInfo(refused.status()).reason, "OPERATIONS_FORMAT_UNKNOWN") << refused.status();
  EXPECT_EQ(*base::ReadFile(path(), 1 << 20), bytes);
}

TEST(OperationsFileTest, FormatIsWhatTheHeaderSays) {
  StoredOperations stored;
  stored.next_number = 3;
  stored.operations.emplace_back();
  stored.operations.back().operation.set_name("operations/2");
  const std::string bytes = EncodeOperations(stored);
  // The number, a message of 14 bytes with field 1 in it, and an empty message.
  EXPECT_EQ(bytes.substr(16), std::string("\x03\0\0\0\0\0\0\0\x0e\x0a\x0coperations/2\0", 24));
  EXPECT_EQ(bytes.substr(0, 12), std::string("SLTOPERA\x01\0\0\0", 12));
  const auto read = DecodeOperations(bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->next_number, 3u);
  ASSERT_EQ(read->operations.size(), 1u);
  EXPECT_EQ(read->operations[0].operation.name(), "operations/2");
}

TEST(OperationsFileTest, OrderAndNumbersAreChecked) {
  for (const auto& [next, names] :
       std::vector<std::pair<uint64_t, std::vector<std::string>>>{{9, {"operations/2", "operations/1"}},
                                                                  {9, {"operations/1", "operations/1"}},
                                                                  {1, {"operations/1"}},
                                                                  {9, {"operations/x"}},
                                                                  {9, {""}}}) {
    StoredOperations stored;
    stored.next_number = next;
    for (const std::string& name : names) {
      stored.operations.emplace_back();
      stored.operations.back().operation.set_name(name);
    }
    EXPECT_TRUE(absl::IsDataLoss(DecodeOperations(EncodeOperations(stored)).status())) << names[0];
  }
}

}  // namespace
}  // namespace sightline::server
