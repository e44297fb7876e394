// R7: a server under a hard limit of memory, asked for more than it has: it refuses in words and lives.
//
// The limit is one on memory of the process's own (RLIMIT_DATA). Beyond it allocations fail, and a server that would
// not have refused before would end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "tests/e2e/models_fixture.h"

namespace sightline::testing {
namespace {

constexpr int kCallers = 64;
// Of 50 MP: as large as a picture may be.
constexpr int kSide = 7'000;
// The server, its model, and a few pictures of 150 MB.
constexpr int64_t kMemory = int64_t{2} << 30;

class MemoryTest : public ModelsFixture {};

TEST_F(MemoryTest, SixtyFourLargestPicturesAtOnceAreAnsweredOrRefused) {
  auto started = ServerProcess::Start({.folder = folder_.path(),
                                       .flags = {"--models=a", "--allow_untrained", "--model_root=" + models_,
                                                 "--warm_up=none", "--intra_op_threads=1", "--max_queue=4"},
                                       .memory_limit = kMemory});
  ASSERT_TRUE(started.ok()) << started.status();
  server_ = *std::move(started);
  client_ = *client::Client::Connect({.address = server_->address()});
  Create("of-a", "a");
  Write("of-a", "p1", 1);

  const std::string large = NoisePicture(2, kSide, kSide);
  base::Mutex mutex;
  std::map<std::string, int> outcomes;
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&] {
      const auto client = *client::Client::Connect({.address = server_->address()});
      v1::EmbedRequest request;
      request.set_image(large);
      const auto embedded = client->Embed(request);
      const std::string outcome = embedded.ok() ? "OK" : base::GetErrorInfo(embedded.status()).reason;
      if (!embedded.ok()) {
        EXPECT_TRUE(absl::IsResourceExhausted(embedded.status()) || absl::IsDeadlineExceeded(embedded.status()))
            << embedded.status();
      }
      base::MutexLock lock(mutex);
      ++outcomes[outcome];
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const auto& [outcome, count] : outcomes) std::printf("%s: %d\n", outcome.c_str(), count);
  EXPECT_GT(outcomes["OK"], 0);
  ASSERT_TRUE(server_->Running()) << server_->Log();

  // More results than there may be.
  for (const int top_k : {1'001, 1 << 20, 2'147'483'647}) {
    v1::SearchRequest search;
    search.set_collection("of-a");
    search.set_top_k(top_k);
    search.mutable_query()->add_parts()->set_image(NoisePicture(1));
    const absl::Status refused = client_->Search(search).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
  }
  ExpectFound("of-a", "p1", 1);
}

}  // namespace
}  // namespace sightline::testing
