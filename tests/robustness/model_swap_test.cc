// R19: models are loaded again and again under load. A good one takes over without a failed request, a bad one leaves
// the one that serves.
//
// SIGHTLINE_SWAPS sets the number of swaps (30).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include "tests/e2e/models_fixture.h"

namespace sightline::testing {
namespace {

class ModelSwapTest : public ModelsFixture {};

TEST_F(ModelSwapTest, NoRequestFailsAndABadOneChangesNothing) {
  const char* asked = std::getenv("SIGHTLINE_SWAPS");
  const int swaps = asked == nullptr ? 30 : std::atoi(asked);
  Start("a");
  Create("of-a", "a");
  Write("of-a", "p1", 1);
  const std::string good = *base::ReadFile(models_ + "/a/model.json", 1 << 20);
  const std::string space = client_->GetModel("a")->embedding_space();
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      const auto client = *client::Client::Connect({.address = server_->address()});
      while (!stop) {
        client::SearchOptions search{.collection = "of-a", .query = client::Query::Image(NoisePicture(1)), .top_k = 1};
        const auto answer = client->Search(search);
        EXPECT_TRUE(answer.ok()) << answer.status();
        if (!answer.ok()) return;
        EXPECT_EQ(answer->results(0).id(), "p1");
        ++answered;
      }
    });
  }
  int refused = 0;
  for (int i = 0; i < swaps; ++i) {
    SCOPED_TRACE(absl::StrCat("swap ", i));
    const std::string weights = models_ + "/a/weights.safetensors";
    const std::string config = models_ + "/a/model.json";
    switch (i % 5) {
      case 1: ASSERT_TRUE(base::WriteFileDurably(weights, "no weights at all").ok()); break;
      case 2: ASSERT_TRUE(base::WriteFileDurably(config, good.substr(0, good.size() / 2)).ok()); break;
      case 3: ASSERT_TRUE(std::filesystem::remove(config)); break;
      default: break;
    }
    const absl::Status loaded = client_->LoadModel("a").status();
    if (i % 5 >= 1 && i % 5 <= 3) {
      EXPECT_FALSE(loaded.ok());
      ++refused;
    } else {
      EXPECT_TRUE(loaded.ok()) << loaded;
    }
    const auto serving = client_->GetModel("a");
    ASSERT_TRUE(serving.ok()) << serving.status();
    EXPECT_EQ(serving->state(), v1::Model::STATE_READY);
    EXPECT_EQ(serving->embedding_space(), space);
    std::filesystem::remove(weights);
    ASSERT_TRUE(base::WriteFileDurably(config, good).ok());
  }
  const int during = answered;
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(during, 0) << "nothing was asked meanwhile: the test proved nothing";
  std::printf("%d swaps, %d of them refused, %d requests meanwhile, none failed\n", swaps, refused, during);
}

}  // namespace
}  // namespace sightline::testing
