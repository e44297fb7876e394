// Collections whose sealed rows are compared by a device that is none: what upkeep and searches do around a card, on
// several threads, also where there is neither CUDA nor its emulator. tests/gpu has the kernels.
#include <atomic>
#include <thread>

#include "tests/index/engine_fixture.h"
#include "tests/index/fake_card.h"

namespace sightline::index {
namespace {

class CardTest : public EngineTest {
 protected:
  CardTest() {
    options_.card = device_;
    options_.segments.background = true;
    config_.index_kind = IndexKind::kExact;
  }

  void CheckSome() {
    for (int i = 0; i < 8; ++i) {
      const auto vector = Draw();
      SearchQuery query;
      query.descriptor = vector;
      query.exact = true;
      ASSERT_EQ(Ids(Ask(query)), Expected(vector, 10));
    }
  }

  // Room for nine chunks of 64 rows.
  const std::shared_ptr<FakeRowDevice> device_ = std::make_shared<FakeRowDevice>(9 * 64 * kDim * 2);
};

TEST_F(CardTest, SearchesWritesAndUpkeepGoOnBesideEachOther) {
  Start();
  Fill(200);
  std::atomic<bool> stop = false;
  std::vector<std::thread> searchers;
  for (unsigned seed = 1; seed <= 2; ++seed) {
    searchers.emplace_back([&, seed] {
      std::mt19937 random(seed);
      while (!stop) {
        const std::vector<float> vector = RandomVector(random, kDim);
        SearchQuery query;
        query.descriptor = vector;
        query.exact = true;
        query.filter = random() % 2 == 0 ? "parity = \"even\"" : "";
        const SearchOutcome outcome = Ask(query);
        ASSERT_EQ(outcome.hits.size(), 10u);
        const auto ids = Ids(outcome);
        ASSERT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 10u) << "an image and its replacement";
      }
    });
  }
  for (int round = 0; round < 8; ++round) {
    Fill(40);
    Change(20, 4);
    CheckSome();
  }
  stop = true;
  for (std::thread& searcher : searchers) searcher.join();
  Optimize();
  CheckSome();
  const gpu::CardCounts counts = device_->card()->counts();
  EXPECT_GT(counts.scans, 10);
  EXPECT_LE(device_->card()->used_bytes(gpu::CardUse::kRows), device_->card()->budget_bytes(gpu::CardUse::kRows));
}

TEST_F(CardTest, ACardLostInASearchIsNotAskedAgain) {
  Start();
  Fill(300);
  Optimize();
  CheckSome();
  const gpu::Card& card = *device_->card();
  const int64_t scans = card.counts().scans;
  EXPECT_GT(scans, 0);
  device_->broken = true;
  CheckSome();
  EXPECT_TRUE(card.lost());
  EXPECT_EQ(card.counts().failures, 1);
  device_->broken = false;
  Fill(100);
  Optimize();
  CheckSome();
  EXPECT_EQ(card.counts().scans, scans);
  EXPECT_EQ(card.used_bytes(gpu::CardUse::kRows), 0);
}

TEST_F(CardTest, ACollectionThatIsKeptOffTheCardLeavesItAndComesBack) {
  options_.segments.background = false;
  Start();
  Fill(300);
  Optimize();
  CheckSome();
  CollectionStats stats = collection_->Stats();
  EXPECT_EQ(stats.card_images, 4 * 64) << "of 300; the last chunk grows";
  EXPECT_EQ(stats.card_bytes, device_->card()->used_bytes(gpu::CardUse::kRows));
  EXPECT_GT(stats.card_bytes, 0);
  EXPECT_EQ(stats.card_scans, device_->card()->counts().scans);
  EXPECT_GT(stats.card_scans, 0);

  ASSERT_TRUE(collection_->ChangeSettings({.device = IndexDevice::kCpu}).ok());
  Optimize();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(device_->card()->used_bytes(gpu::CardUse::kRows), 0) << "round " << round;
    const int64_t scans = device_->card()->counts().scans;
    CheckSome();
    EXPECT_EQ(device_->card()->counts().scans, scans);
    stats = collection_->Stats();
    EXPECT_EQ(stats.card_images, 0);
    EXPECT_EQ(stats.card_bytes, 0);
    // It stays off over a restart.
    Restart();
    Fill(70);
    Optimize();
  }
  EXPECT_EQ(collection_->config().device, IndexDevice::kCpu);

  ASSERT_TRUE(collection_->ChangeSettings({.device = IndexDevice::kAuto}).ok());
  Optimize();
  EXPECT_GT(collection_->Stats().card_images, 300);
  const int64_t scans = device_->card()->counts().scans;
  CheckSome();
  EXPECT_GT(device_->card()->counts().scans, scans);
}

TEST_F(CardTest, LeavesAndComesBackWhileItIsSearched) {
  Start();
  Fill(300);
  std::atomic<bool> stop = false;
  std::thread searcher([&] {
    std::mt19937 random(5);
    while (!stop) {
      const std::vector<float> vector = RandomVector(random, kDim);
      SearchQuery query;
      query.descriptor = vector;
      query.exact = true;
      ASSERT_EQ(Ask(query).hits.size(), 10u);
    }
  });
  for (int round = 0; round < 20; ++round) {
    const IndexDevice device = round % 2 == 0 ? IndexDevice::kCpu : IndexDevice::kAuto;
    ASSERT_TRUE(collection_->ChangeSettings({.device = device}).ok());
    Fill(20);
    CheckSome();
  }
  Optimize();
  EXPECT_GT(collection_->Stats().card_images, 0);
  ASSERT_TRUE(collection_->ChangeSettings({.device = IndexDevice::kCpu}).ok());
  Optimize();
  stop = true;
  searcher.join();
  EXPECT_EQ(device_->card()->used_bytes(gpu::CardUse::kRows), 0);
}

class ListCardTest : public EngineTest {
 protected:
  ListCardTest() {
    options_.card_lists = device_;
    options_.segments.background = true;
    config_.index_kind = IndexKind::kIvf;
    config_.ivf_lists = 4;
  }

  SearchQuery AllLists(absl::Span<const float> vector) const {
    SearchQuery query;
    query.descriptor = vector;
    query.nprobe = 4;
    return query;
  }
  void CheckSome() {
    for (int i = 0; i < 8; ++i) {
      const auto vector = Draw();
      ASSERT_EQ(Ids(Ask(AllLists(vector))), Expected(vector, 10));
    }
  }

  const std::shared_ptr<FakeListDevice> device_ = std::make_shared<FakeListDevice>(1 << 20);
};

TEST_F(ListCardTest, SearchesGoOnWhileRowsComeAndMove) {
  Start();
  Fill(300);
  Optimize();  // trains the lists
  std::atomic<bool> stop = false;
  std::thread searcher([&] {
    std::mt19937 random(7);
    while (!stop) {
      const std::vector<float> vector = RandomVector(random, kDim);
      const auto ids = Ids(Ask(AllLists(vector)));
      ASSERT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 10u) << "an image and its replacement";
    }
  });
  for (int round = 0; round < 8; ++round) {
    Fill(60);
    Change(20, 4);
    if (round == 4) {
      ASSERT_TRUE(collection_->ChangeSettings({.device = IndexDevice::kCpu}).ok());
    }
    if (round == 6) {
      ASSERT_TRUE(collection_->ChangeSettings({.device = IndexDevice::kAuto}).ok());
    }
    CheckSome();
  }
  Optimize();
  CheckSome();
  stop = true;
  searcher.join();
  const int64_t scans = device_->card()->counts().scans;
  EXPECT_GT(scans, 10);
  EXPECT_GT(collection_->Stats().card_images, 0);
  EXPECT_EQ(collection_->Stats().card_scans, scans);
  device_->broken = true;
  CheckSome();
  EXPECT_TRUE(device_->card()->lost());
  EXPECT_EQ(device_->card()->counts().failures, 1);
  EXPECT_EQ(device_->card()->counts().scans, scans);
}

}  // namespace
}  // namespace sightline::index
