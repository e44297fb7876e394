// LoadFixture: a server with one small model, a collection of pictures, and many calls at once.
#ifndef SIGHTLINE_TESTS_ROBUSTNESS_LOAD_FIXTURE_H_
#define SIGHTLINE_TESTS_ROBUSTNESS_LOAD_FIXTURE_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/cpp/client.h"
#include "tests/e2e/picture.h"
#include "tests/e2e/rpc.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

namespace sightline::testing {

class LoadFixture : public ::testing::Test {
 protected:
  static constexpr char kCollection[] = "pictures";

  ~LoadFixture() override {
    rpcs_.clear();
    if (server_ != nullptr && server_->Running()) {
      EXPECT_EQ(server_->Terminate(), 0) << server_->Log();
    }
  }

  void Start(std::vector<std::string> flags = {}, int64_t file_limit = 0) {
    flags.insert(flags.end(), {"--models=dtop_seeded", "--allow_untrained", "--warm_up=one", "--intra_op_threads=1",
                               std::string("--model_root=") + SIGHTLINE_MODEL_ROOT});
    auto server = ServerProcess::Start({.folder = folder_.path(), .flags = std::move(flags), .file_limit = file_limit});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    // A connection takes 128 calls at once.
    for (int i = 0; i < 4; ++i) rpcs_.push_back(std::make_unique<Rpc>(server_->address()));
    v1::CreateCollectionRequest create;
    create.set_name(kCollection);
    create.set_model("dtop_seeded");
    ASSERT_TRUE(Call(*rpc().collections, &v1::CollectionService::Stub::CreateCollection, create).ok());
    for (unsigned i = 0; i < 4; ++i) ASSERT_TRUE(Write(absl::StrCat("picture-", i), i).ok());
  }

  Rpc& rpc() { return *rpcs_.front(); }

  static v1::IndexRequest NewWrite(const std::string& id, unsigned picture) {
    v1::IndexRequest request;
    request.set_collection(kCollection);
    request.mutable_item()->set_id(id);
    request.mutable_item()->set_image(NoisePicture(picture));
    return request;
  }
  absl::Status Write(const std::string& id, unsigned picture) {
    return Call(*rpc().index, &v1::IndexService::Stub::Index, NewWrite(id, picture));
  }

  static v1::SearchRequest NewSearch(unsigned picture) {
    v1::SearchRequest request;
    request.set_collection(kCollection);
    request.mutable_query()->add_parts()->set_image(NoisePicture(picture));
    return request;
  }
  absl::Status Search(unsigned picture = 1) {
    return Call(*rpc().search, &v1::SearchService::Stub::Search, NewSearch(picture));
  }

  // Searches that are all on their way at once. `deadline_ms(i)`, `cancel(i)`: whether, and once answered or before.
  enum class Cancel { kNever, kSoon, kWithTheAnswer };
  std::vector<absl::Status> SearchAll(int count, const std::function<int(int)>& deadline_ms,
                                      const std::function<Cancel(int)>& cancel) {
    struct One {
      grpc::ClientContext context;
      std::unique_ptr<grpc::ClientAsyncResponseReader<v1::SearchResponse>> reader;
      v1::SearchResponse reply;
      grpc::Status status;
      Cancel cancel = Cancel::kNever;
    };
    grpc::CompletionQueue queue;
    const v1::SearchRequest request = NewSearch(1);
    std::vector<One> all(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) {
      One& one = all[static_cast<size_t>(i)];
      one.cancel = cancel(i);
      one.context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(deadline_ms(i)));
      one.reader = rpcs_[static_cast<size_t>(i) % rpcs_.size()]->search->AsyncSearch(&one.context, request, &queue);
      one.reader->Finish(&one.reply, &one.status, &one);
      if (one.cancel == Cancel::kSoon) one.context.TryCancel();
    }
    std::vector<absl::Status> answers;
    void* tag = nullptr;
    bool ok = false;
    // The answer of one is the moment at which others are about to be answered too.
    auto next = all.begin();
    for (int open = count; open > 0; --open) {
      queue.Next(&tag, &ok);
      while (next != all.end() && next->cancel != Cancel::kWithTheAnswer) ++next;
      if (next != all.end()) (next++)->context.TryCancel();
    }
    for (const One& one : all) {
      answers.push_back(Rpc::Decode(one.status));
      // Whatever the server has answered, refusals included, can be found in its log.
      if (answers.back().ok() || absl::IsResourceExhausted(answers.back())) {
        EXPECT_TRUE(one.context.GetServerInitialMetadata().contains("x-request-id")) << answers.back();
      }
    }
    queue.Shutdown();
    return answers;
  }

  // Nothing is in hand, waits or was lost: within a few seconds, since answers go out before the last gauge is set.
  void ExpectNothingLeft() {
    const std::vector<std::string> gauges = {"sightline_requests_in_flight", "sightline_queue_depth{queue=\"decode\"}",
                                             "sightline_queue_depth{queue=\"model\"}",
                                             "sightline_queue_depth{queue=\"search\"}"};
    std::string left;
    for (int i = 0; i < 500; ++i) {
      left.clear();
      for (const std::string& gauge : gauges) {
        if (const double value = server_->Metric(gauge); value != 0) absl::StrAppend(&left, gauge, " ", value, "; ");
      }
      if (left.empty()) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    EXPECT_EQ(left, "");
    EXPECT_TRUE(server_->Running()) << server_->Log();
    EXPECT_EQ(Search(), absl::OkStatus()) << "and the server answers as before";
  }

  static std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }

  TempFolder folder_;
  std::unique_ptr<ServerProcess> server_;
  std::vector<std::unique_ptr<Rpc>> rpcs_;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_ROBUSTNESS_LOAD_FIXTURE_H_
